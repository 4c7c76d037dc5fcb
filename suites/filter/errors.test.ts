/** Two kinds of filters on one machine: each name is taken once, a device has one filter, and a refusal changes nothing.
 *  Method: a probe is the other filter, or a filter that refuses, or one that takes no commands. */
import {
  attachProbe, ctlCommand, expect, filterCtl, hotDisk, filterCommand, filterName, loadProbe, probeTotals, refuse, test, dataDisk, storeDisk,
} from '../fixtures/index.js';

test('attaching where another filter is is EBUSY, whichever of the two was first', { meta: { spec: ['FLT-03', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const [data, store] = [l.disk('data'), l.disk('store')];
  await l.attach(data);
  const probe = await attachProbe(l, store);
  await expect(data.attach('probe')).rejects.toMatchObject({ errno: 'EBUSY' });
  await expect(store.attach()).rejects.toMatchObject({ errno: 'EBUSY' });
  await expect(store.attach('probe2')).rejects.toMatchObject({ errno: 'EBUSY' });
  await expect(store.attach('probe')).rejects.toMatchObject({ errno: 'EALREADY' });
  expect([await data.sysfsFilter(), await store.sysfsFilter()]).toEqual(['blksnap\n', 'probe\n']);
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 0, released: 0 });
  await store.write(0, new Uint8Array(512));
  expect(await probe.counts()).toMatchObject({ write: 1 });
});

test('another kind of filter that is unloaded takes nothing from those that stay', { meta: { spec: ['FLT-14', 'FLT-06'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await data.fill(1);
  await l.attach(data);
  await loadProbe(l);
  const snapshot = await l.takeSnapshot(data);
  const frozen = await data.hostSectors();
  await l.sh('rmmod blkprobe');
  await data.fill(2, { length: 1024 * 1024 });
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(frozen);
  await snapshot.destroy();
  await l.takeSnapshot(data);
  expect((await data.cbtMap(0, 1))[0]).toBe((await data.cbtInfo()).changes);
});

test('detach and control by the name of a filter that is on another device find nothing here', { meta: { spec: ['FLT-03', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const [data, store] = [l.disk('data'), l.disk('store')];
  await l.attach(data);
  await attachProbe(l, store);
  await expect(data.detach('probe')).rejects.toMatchObject({ errno: 'EINVAL' });
  await expect(store.detach('blksnap')).rejects.toMatchObject({ errno: 'EINVAL' });
  expect(await filterCtl(l.guest, data.path, 1, Buffer.alloc(256), { name: 'probe' })).toMatchObject({ error: 'ENOENT' });
  expect(await filterCtl(l.guest, store.path, ctlCommand.cbtInfo, Buffer.alloc(40))).toMatchObject({ error: 'ENOENT' });
  expect([await data.sysfsFilter(), await store.sysfsFilter()]).toEqual(['blksnap\n', 'probe\n']);
});

test('a filter that takes no commands answers ENOTTY, and lets itself be detached', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  await attachProbe(l, data, 'mute');
  for (const number of [0, 1, 0xffff_ffff]) {
    expect(await filterCtl(l.guest, data.path, number, Buffer.alloc(64), { name: 'mute' })).toMatchObject({ error: 'ENOTTY' });
  }
  await data.detach('mute');
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

test('what a filter says to attaching is the answer, and nothing of it stays', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  await refuse(l, 'attach', 95);
  await expect(data.attach('probe')).rejects.toMatchObject({ errno: 'EOPNOTSUPP' });
  expect(await data.sysfsFilter()).toBe('\n');
  expect(await l.sh('cat /sys/module/blkprobe/refcnt')).toBe('0');
  await data.write(0, new Uint8Array(512));
  await l.attach(data);
});

test('a filter that will not be detached stays, works, and can be detached later', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  const probe = await attachProbe(l, data);
  await refuse(l, 'detach', 16);
  await expect(data.detach('probe')).rejects.toMatchObject({ errno: 'EBUSY' });
  await data.write(0, new Uint8Array(512));
  expect(await probe.counts()).toMatchObject({ write: 1 });
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 0, released: 0 });
  await refuse(l, 'detach', 0);
  await data.detach('probe');
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

test('a filter that will not be detached goes all the same when its device goes', { meta: { spec: ['FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  await loadProbe(l);
  const hot = l.disk('hot');
  await attachProbe(l, hot);
  await refuse(l, 'detach', 16);
  await l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

test('every command on the open descriptor of a dead disk is ENODEV', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  await loadProbe(l);
  const hot = l.disk('hot');
  await attachProbe(l, hot);
  const script = 'exec 3<"$1"; echo 1 > "/sys/block/${1#/dev/}/device/delete"; for c in $2; do blkio ioctl fd:3 "$c" "$3"; done';
  const commands = Object.values(filterCommand).join(' ');
  const answers = (await l.guest.sh(script, { args: [hot.path, commands, filterName('probe').toString('hex')] })).jsonLines<{ error: string | null }>();
  expect(answers.map(({ error }) => error)).toEqual(['ENODEV', 'ENODEV', 'ENODEV']);
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

for (const [what, names, errno] of [
  ['the module has', 'blksnap', /busy|exist/i], ['it has given twice', 'one,one', /busy|exist/i],
  ['is empty', ',one', /invalid/i], ['is of 32 characters', 'x'.repeat(32), /invalid/i],
] as const) {
  test(`registering under a name that ${what} fails, and leaves nothing registered`, { meta: { spec: ['FLT-06'] } }, async ({ lab }) => {
    const l = await lab();
    const data = l.disk('data');
    await expect(loadProbe(l, { names: `first,${names}` })).rejects.toThrow(errno);
    await expect(data.attach('first')).rejects.toMatchObject({ errno: 'ENOENT' });
    await loadProbe(l, { names: `first,${'x'.repeat(31)}` });
    await attachProbe(l, data, 'x'.repeat(31));
    expect(await data.sysfsFilter()).toBe(`${'x'.repeat(31)}\n`);
    await attachProbe(l, l.disk('store'), 'first');
  });
}

test('the module finds its name taken and does not load, until the other has gone', { meta: { spec: ['FLT-06'] } }, async ({ lab }) => {
  const l = await lab({ loadModule: false });
  await loadProbe(l, { names: 'blksnap' });
  const probe = await attachProbe(l, l.disk('data'), 'blksnap');
  await expect(l.loadModule()).rejects.toThrow(/busy|exist/i);
  await l.disk('data').write(0, new Uint8Array(512));
  expect(await probe.counts()).toMatchObject({ write: 1 });
  await expect(l.sh('rmmod blkprobe')).rejects.toThrow();
  await l.disk('data').detach('blksnap');
  await l.sh('rmmod blkprobe');
  await l.loadModule();
  await l.attach(l.disk('data'));
});
