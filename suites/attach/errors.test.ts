/** Attach, detach and control answer each mistake with its errno, and a failed call changes nothing.
 *  Method: make each mistake, then see that the attribute `filter` and the module's references are as before. */
import {
  badPointer, controlCommand, ctlCommand, expect, filterCommand, filterCtl, filterName, ioctl, makeLoop, moduleReferences, Snapshot, test,
  type Device, type Lab,
} from '../fixtures/index.js';

const CBT_INFO_BYTES = 40;

/** Expects that the device has this filter still; when it has none, nobody keeps the module. */
async function expectFilter(l: Lab, device: Device, filter: string): Promise<void> {
  expect(await device.sysfsFilter()).toBe(`${filter}\n`);
  expect(await moduleReferences(l) > 0).toBe(filter !== '');
}

test('attaching an unknown filter is ENOENT', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  for (const name of ['nosuch', '', 'blksna', 'blksnapp', 'BLKSNAP', 'blksnap ', 'x'.repeat(31)]) {
    expect(await ioctl(l.guest, device.path, filterCommand.attach, filterName(name)), `"${name}"`).toMatchObject({ error: 'ENOENT' });
  }
  await expectFilter(l, device, '');
});

test('attaching a filter that is there already is EALREADY', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const { generation } = await device.cbtInfo();
  await expect(device.attach()).rejects.toMatchObject({ errno: 'EALREADY' });
  await expectFilter(l, device, 'blksnap');
  expect((await device.cbtInfo()).generation).toBe(generation);
});

test('eight that attach at once get one filter and seven times EALREADY', { meta: { spec: ['FLT-03', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const answers = await Promise.all(Array.from({ length: 8 }, () => ioctl(l.guest, device.path, filterCommand.attach, filterName('blksnap'))));
  l.defer(() => device.detach());
  expect(answers.map(({ error }) => error ?? 'attached').sort()).toEqual([...new Array<string>(7).fill('EALREADY'), 'attached']);
  await expectFilter(l, device, 'blksnap');
});

test('detaching where no filter is attached is ENOENT', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await expect(device.detach()).rejects.toMatchObject({ errno: 'ENOENT' });
  await device.attach();
  await device.detach();
  await expect(device.detach()).rejects.toMatchObject({ errno: 'ENOENT' });
  await expectFilter(l, device, '');
});

test('detaching by a wrong name is EINVAL', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  for (const name of ['other', '', 'blksna', 'blksnapp']) {
    expect(await ioctl(l.guest, device.path, filterCommand.detach, filterName(name)), `"${name}"`).toMatchObject({ error: 'EINVAL' });
  }
  await expectFilter(l, device, 'blksnap');
});

test('control with no filter attached, or by a wrong name, is ENOENT', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const option = Buffer.alloc(CBT_INFO_BYTES);
  expect(await filterCtl(l.guest, device.path, ctlCommand.cbtInfo, option)).toMatchObject({ error: 'ENOENT' });
  await l.attach(device);
  for (const name of ['other', '', 'blksna', 'blksnapp']) {
    expect(await filterCtl(l.guest, device.path, ctlCommand.cbtInfo, option, { name }), `"${name}"`).toMatchObject({ error: 'ENOENT' });
  }
  expect(await filterCtl(l.guest, device.path, ctlCommand.cbtInfo, option)).toMatchObject({ error: null });
});

test('a name that is not terminated within 32 bytes is EINVAL', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const full = 'blksnap'.padEnd(32, 'x');
  for (const command of [filterCommand.attach, filterCommand.detach]) {
    expect(await ioctl(l.guest, device.path, command, filterName(full))).toMatchObject({ error: 'EINVAL' });
  }
  await l.attach(device);
  expect(await ioctl(l.guest, device.path, filterCommand.detach, filterName(full))).toMatchObject({ error: 'EINVAL' });
  expect(await filterCtl(l.guest, device.path, ctlCommand.cbtInfo, Buffer.alloc(CBT_INFO_BYTES), { name: full })).toMatchObject({ error: 'EINVAL' });
  await expectFilter(l, device, 'blksnap');
});

test('what follows the end of a name does not count', { meta: { spec: ['FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const name = filterName('blksnap');
  name.fill(0x78, 8);
  expect(await ioctl(l.guest, device.path, filterCommand.attach, name)).toMatchObject({ error: null });
  l.defer(() => device.detach());
  expect(await device.sysfsFilter()).toBe('blksnap\n');
});

test('a bad pointer is EFAULT', { meta: { spec: ['FLT-03', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  for (const pointer of [0n, badPointer, 0xffff_8880_0000_0000n, 0xffff_ffff_ffff_fff0n]) {
    for (const command of Object.values(filterCommand)) {
      expect(await ioctl(l.guest, device.path, command, pointer), `${command.toString(16)} at ${pointer}`).toMatchObject({ error: 'EFAULT' });
    }
  }
  await expectFilter(l, device, '');
});

test('an option that cannot be read or written is EFAULT', { meta: { spec: ['FLT-03', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  for (const command of [ctlCommand.cbtInfo, ctlCommand.cbtMap, ctlCommand.cbtDirty, ctlCommand.snapshotAdd]) {
    expect(await filterCtl(l.guest, device.path, command, Buffer.alloc(64), { pointer: badPointer }), `command ${command}`).toMatchObject({ error: 'EFAULT' });
  }
});

test('a bad pointer is EFAULT to every command of the control device, and leaves no snapshot and no storage behind', { meta: { spec: ['ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const control = '/dev/blksnap-control';
  for (const [name, command] of Object.entries(controlCommand)) {
    for (const pointer of [0n, badPointer, 0xffff_8880_0000_0000n]) {
      expect(await ioctl(l.guest, control, command, pointer), `${name} at ${pointer}`).toMatchObject({ error: 'EFAULT' });
    }
  }
  // It can be read, and so the snapshot is made; but its name cannot be written.
  const create = `${'0010000000000000'}${'03000000'}${'0'.repeat(40)}`;
  const answer = await l.sh('exec 3<> /tmp/diff; blkio ioctl --rdonly --protect "$1" "$2" "$3"', control, `${controlCommand.create}`, create);
  expect(JSON.parse(answer)).toMatchObject({ error: 'EFAULT' });
  expect(await Snapshot.collect(l.guest)).toEqual([]);
  expect(await moduleReferences(l)).toBe(0);
  expect(await l.sh('stat -c %s /tmp/diff')).toBe('0');
});

test('names of snapshots that cannot be written are EFAULT', { meta: { spec: ['ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  await l.createSnapshot();
  const collect = Buffer.alloc(16);
  collect.writeUInt32LE(1, 0);
  collect.writeBigUInt64LE(badPointer, 8);
  expect(await ioctl(l.guest, '/dev/blksnap-control', controlCommand.collect, collect)).toMatchObject({ error: 'EFAULT' });
});

test('an unknown command of the filter is ENOTTY, whatever its option', { meta: { spec: ['ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  for (const command of [5, 6, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    expect(await filterCtl(l.guest, device.path, command, Buffer.alloc(64)), `command ${command}`).toMatchObject({ error: 'ENOTTY' });
  }
});

test('an option smaller than its structure is EINVAL, a larger one is taken', { meta: { spec: ['ABI-01', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const sizes = [[ctlCommand.cbtInfo, 40], [ctlCommand.cbtMap, 16], [ctlCommand.cbtDirty, 16], [ctlCommand.snapshotAdd, 16], [ctlCommand.snapshotInfo, 36]] as const;
  for (const [command, size] of sizes) {
    for (const optlen of [0, 1, size - 1]) {
      expect(await filterCtl(l.guest, device.path, command, Buffer.alloc(64), { optlen }), `command ${command}, ${optlen} bytes`).toMatchObject({ error: 'EINVAL' });
    }
    expect((await filterCtl(l.guest, device.path, command, Buffer.alloc(64), { optlen: 64 })).error, `command ${command}`).not.toBe('EINVAL');
  }
});

test('a loop device without a file takes no filter for good', { meta: { spec: ['FLT-03', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab();
  const device = await makeLoop(l, 1 << 20);
  await device.attach();
  await l.sh('losetup -d "$1"', device.path);
  await expectFilter(l, device, '');
});
