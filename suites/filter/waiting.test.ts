/** A filter may sleep, or keep a bio, without holding what others wait for.
 *  Method: a writer sleeps in a probe until the test opens the gate; meanwhile the queue is frozen, the scheduler changed,
 *  the filter detached, the disk removed. What waits for ever ends in the deadline of its call. */
import {
  attachProbe, dataDisk, eventually, expect, hotDisk, loadProbe, makePartitions, openGate, probeTotals, startLoad, startStuck, storeDisk, test,
  type Device, type Lab, type LabOptions, type Probe, type ProbeMode,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;

interface Sleeper {
  /** Resolves to the errno, or null. */
  readonly ended: Promise<string | null>;
  isAwake: boolean;
}

/** A disk that can be deleted, with a probe on it. */
async function probeHot(lab: (options: LabOptions) => Promise<Lab>): Promise<{ l: Lab; hot: Device; probe: Probe }> {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  await loadProbe(l);
  const hot = l.disk('hot');
  return { l, hot, probe: await attachProbe(l, hot) };
}

/** A writer that sleeps in the filter, or whose bio it keeps. */
async function startSleeper(device: Device, probe: Probe, mode: 'wait' | 'keep'): Promise<Sleeper> {
  await probe.set(mode);
  const written = device.write(0, new Uint8Array(4096).fill(7)).then(() => null, (error: { errno: string }) => error.errno);
  const sleeper = { isAwake: false, ended: written.finally(() => { sleeper.isAwake = true; }) };
  await eventually('a sleeper', async () => (await probe.counts())[mode === 'wait' ? 'waiting' : 'kept'], (count) => count === 1);
  return sleeper;
}

async function wake(l: Lab, probe: Probe, mode: 'wait' | 'keep'): Promise<void> {
  await probe.set('pass');
  await (mode === 'wait' ? openGate(l) : probe.resume());
}

/** The device has lost the probe by then; whoever sleeps in it keeps the call from ending. */
async function startDetach(device: Device): Promise<{ detached: Promise<void> }> {
  const detached = device.detach('probe');
  await eventually('the attribute without the filter', () => device.sysfsFilter(), (name) => name === '\n');
  return { detached };
}

/** Each freezes the queue. */
const freezes: readonly { readonly what: string; readonly freeze: (l: Lab, disk: Device, part: Device) => Promise<unknown> }[] = [
  { what: 'the scheduler is changed', freeze: (l, { name }) => l.sh('for s in mq-deadline none; do echo $s > "/sys/block/$1/queue/scheduler"; done', name) },
  { what: 'the length of the queue is changed', freeze: (l, { name }) => l.sh('q=/sys/block/$1/queue; echo mq-deadline > $q/scheduler; echo 64 > $q/nr_requests', name) },
  { what: 'write caching is switched', freeze: (l, { name }) => l.sh('echo "write through" > "/sys/block/$1/queue/write_cache"', name) },
  { what: 'a limit of the queue is changed', freeze: (l, { name }) => l.sh('echo 64 > "/sys/block/$1/queue/max_sectors_kb"', name) },
  { what: 'another filter comes and goes on a partition', freeze: async (_, __, part) => {
    await part.attach('probe2');
    await part.detach('probe2');
  } },
];

for (const { what, freeze } of freezes) {
  for (const mode of ['wait', 'keep'] as const) {
    test(`${what} while a writer is in a filter that ${mode === 'wait' ? 'sleeps' : 'keeps its bio'}`, { meta: { spec: ['FLT-09'] } }, async ({ lab }) => {
      const l = await lab();
      await loadProbe(l);
      const disk = l.disk('data');
      const [part] = await makePartitions(l, disk, [{ start: 8 * MIB, length: 4 * MIB }]) as [Device];
      const probe = await attachProbe(l, disk);
      const sleeper = await startSleeper(disk, probe, mode);
      await freeze(l, disk, part);
      // Others are served.
      await disk.read(MIB, 4096);
      expect(sleeper.isAwake).toBe(false);
      await wake(l, probe, mode);
      expect(await sleeper.ended).toBeNull();
      expect(await disk.read(0, 4096)).toEqual(Buffer.alloc(4096, 7));
    });
  }
}

test('detaching waits for the writer that sleeps in the filter, and whose data then is written', { meta: { spec: ['FLT-09', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = l.disk('data');
  const probe = await attachProbe(l, disk);
  const sleeper = await startSleeper(disk, probe, 'wait');
  const { detached } = await startDetach(disk);
  // Nobody else meets the filter any more.
  await disk.write(MIB, new Uint8Array(4096).fill(8));
  expect(sleeper.isAwake).toBe(false);
  expect(await probeTotals(l)).toMatchObject({ detached: 0, released: 0 });
  await openGate(l);
  await detached;
  expect(await sleeper.ended).toBeNull();
  expect(await disk.read(0, 4096)).toEqual(Buffer.alloc(4096, 7));
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

test('a write that is still in a filter that goes is seen by the one that has come meanwhile, and by that one once', { meta: { spec: ['FLT-09', 'FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = l.disk('data');
  const old = await attachProbe(l, disk);
  const sleeper = await startSleeper(disk, old, 'wait');
  const { detached } = await startDetach(disk);
  const probe = await attachProbe(l, disk, 'probe2');
  expect(await probe.counts()).toMatchObject({ write: 0 });
  await openGate(l);
  await detached;
  expect(await sleeper.ended).toBeNull();
  expect(await probe.counts()).toMatchObject({ write: 1 });
});

test('a disk that is deleted waits for the writer that sleeps in its filter, and for nothing else', { meta: { spec: ['FLT-09', 'FLT-10'] } }, async ({ lab }) => {
  const { l, hot, probe } = await probeHot(lab);
  const sleeper = await startSleeper(hot, probe, 'wait');
  const deleted = l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  await eventually('the attribute without the filter', () => l.sh('cat "/sys/block/$1/filter"', hot.name), (name) => name === '');
  expect(sleeper.isAwake).toBe(false);
  await openGate(l);
  await deleted;
  expect(await sleeper.ended).toMatch(/^(EIO|ENODEV)$/);
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

test('a disk that is deleted while its filter is being detached waits for that, and is told of its end', { meta: { spec: ['FLT-09', 'FLT-10'] } }, async ({ lab }) => {
  const { l, hot, probe } = await probeHot(lab);
  const sleeper = await startSleeper(hot, probe, 'wait');
  const { detached } = await startDetach(hot);
  const { command: deleted, isWaiting } = await startStuck(l, 'echo 1 > "/sys/block/$1/device/delete"', hot.name);
  expect(isWaiting).toBe(true);
  await openGate(l);
  await detached;
  expect((await deleted.result).exitCode).toBe(0);
  expect([null, 'EIO', 'ENODEV']).toContain(await sleeper.ended);
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

test('a disk that is deleted does not wait for bios that its filter keeps: they fail', { meta: { spec: ['FLT-08', 'FLT-09', 'FLT-10'] } }, async ({ lab }) => {
  const { l, hot, probe } = await probeHot(lab);
  const sleeper = await startSleeper(hot, probe, 'keep');
  await l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  expect(await sleeper.ended).toMatch(/^(EIO|ENODEV)$/);
  expect(await probeTotals(l)).toEqual({ attached: 1, detached: 1, released: 1 });
});

const busy: readonly ProbeMode[] = ['read', 'work'];
for (const mode of busy) {
  const does = mode === 'read' ? 'reads before each write' : 'sends bios on from a worker';
  test(`under load, with a filter that ${does}, the queue is frozen forty times`, { meta: { spec: ['FLT-09'] } }, async ({ lab, random }) => {
    const l = await lab();
    await loadProbe(l);
    const disk = l.disk('data');
    const probe = await attachProbe(l, disk);
    await probe.set(mode, { kinds: ['read', 'write'], hook: true });
    const load = startLoad(l.guest, { filename: disk.path, rw: 'randrw', bs: '4k-64k', blockalign: '4k', iodepth: 8, randseed: random.below(1e9) });
    await load.started;
    await l.sh('for i in $(seq 20); do for s in mq-deadline none; do echo $s > "/sys/block/$1/queue/scheduler"; done; done', disk.name);
    await load.stop();
    const counts = await probe.counts();
    expect(counts.done).toBe(counts.hooked);
    expect(counts).toMatchObject({ kept: 0, failed: 0 });
  });
}
