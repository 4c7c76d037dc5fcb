/** A caller whose memory is slow, or never comes, waits alone: nobody waits for it, it can be killed, and no event is lost with it.
 *  Method: the page that a command reads or writes is handed out by the test; while the command waits for it, everything else is done
 *  with the same device and snapshots; then it is given, refused, or its caller killed. */
import {
  ctlCommand, dataDisk, dirtyArgument, dirtyRanges, expect, limit, makeLoop, mapArgument, moduleReferences, secondDisk, Snapshot, stallAddress, stalls, storeDisk, test,
  thirdDisk, type Lab,
} from '../fixtures/index.js';
import { changedSince } from '../oracle/cbt.js';
import { cases, missingBuffer, type World } from './user-buffers.js';

const MIB = 1024 * 1024;
const disks = [dataDisk, secondDisk, thirdDisk, storeDisk];

/** The snapshot is full, so that it has an event to tell. */
async function makeWorld(l: Lab): Promise<World> {
  const [data, second, free] = [l.disk('data'), l.disk('second'), l.disk('third')];
  await l.attach(data, second);
  const snapshot = await l.takeSnapshot(data, { limit: '1M' });
  await data.fill(2, { length: 4 * MIB });
  const empty = await l.createSnapshot({ storage: '/tmp', limit: '1M' });
  return { data, second, free, snapshot, empty };
}

/** What others do meanwhile: all that there is. */
async function doAll(l: Lab, { data, free }: World): Promise<void> {
  await data.write(8 * MIB, Buffer.alloc(4096, 0x55));
  await data.cbtInfo();
  await data.cbtDirty([0, 8]);
  await data.snapshotInfo();
  expect((await Snapshot.collect(l.guest)).length).toBe(2);
  await free.attach();
  const other = await l.takeSnapshot(free, { storage: '/tmp/other', limit: '1M' });
  await other.destroy();
  await free.detach();
}

const event = { event: 'corrupted', error_name: 'ENOSPC' };

for (const { what, call, given } of cases) {
  test(`memory that does not come: ${what}`, { timeout: limit(120_000), meta: { spec: ['ABI-03', 'EVT-02', 'SNP-06'] } }, async ({ lab, faults }) => {
    const l = await lab({ disks });
    const stalled = await stalls(l);
    const world = await makeWorld(l);
    const references = await moduleReferences(l);

    await (await stalled(call(world))).kill();
    expect((await (await stalled(call(world))).refuse()).error).toBe('EFAULT');
    expect((await Snapshot.collect(l.guest)).sort()).toEqual([world.snapshot.id, world.empty.id].sort());
    expect(await moduleReferences(l)).toBe(references);
    expect(await world.free.sysfsFilter()).toBe('\n');

    const late = await stalled(call(world));
    await doAll(l, world);
    const answer = await late.give();
    expect(answer).toMatchObject(given ?? { error: null });
    if (what === 'attach: name') await world.free.detach();
    // Twice it was not delivered.
    if (!what.startsWith('wait event')) expect(await world.snapshot.waitEvent(0)).toMatchObject(event);
    await expect(world.snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
    if (what === 'destroy: id') world.empty.isDestroyed = true;
    for (const [point, verdict] of [['killed', 'gone, and nothing done'], ['refused', 'EFAULT, and nothing done'], ['late', answer.error ?? 'success']] as const) {
      faults.record({ kind: 'call', operation: what, point, hit: 'page that was waited for', verdict });
    }
  });
}

test('a signal that the caller takes cuts short nothing of what it marks', { meta: { spec: ['CBT-07'] } }, async ({ lab, faults }) => {
  const l = await lab();
  const stalled = await stalls(l);
  const data = l.disk('data');
  await l.attach(data);
  const { block_size: block } = await data.cbtInfo();
  const blocks = [3, 70, 200];
  const ranges = dirtyRanges(...blocks.map((at) => [BigInt(at * block / 512), 1n] as const));
  const call = await stalled(missingBuffer(data, ctlCommand.cbtDirty, dirtyArgument(blocks.length, stallAddress), ranges));
  call.signal();
  expect(await call.give()).toMatchObject({ error: null });
  await l.takeSnapshot(data);
  expect(changedSince(await data.cbtMap(), 0)).toEqual(blocks);
  faults.record({ kind: 'call', operation: 'cbtdirty', point: 'a signal in the middle', hit: 'page that was waited for', verdict: 'all is marked' });
});

test('a piece of the map that has room for its first pages only is refused, not cut short', { meta: { spec: ['CBT-06', 'ABI-03'] } }, async ({ lab, faults }) => {
  const l = await lab({ params: { tracking_block_minimum_shift: 9, tracking_block_maximum_shift: 9 } });
  const stalled = await stalls(l);
  const data = l.disk('data');
  await l.attach(data);
  for (const room of [4096, 6000]) {
    const call = await stalled(missingBuffer(data, ctlCommand.cbtMap, mapArgument(0, room + 4096, stallAddress - BigInt(room)), new Uint8Array(0), room));
    expect((await call.refuse()).error, `after ${room} bytes`).toBe('EFAULT');
    faults.record({ kind: 'call', operation: 'cbtmap', point: `no memory after ${room} bytes`, hit: 'page that was waited for', verdict: 'EFAULT' });
  }
});

test('a snapshot is destroyed and its device detached while the map is read and an event is delivered', {
  timeout: limit(120_000), meta: { spec: ['ABI-03', 'EVT-01', 'SNP-01'] },
}, async ({ lab, faults }) => {
  const l = await lab({ disks });
  const stalled = await stalls(l);
  const world = await makeWorld(l);
  const waiting = [];
  for (const name of ['cbtmap: buffer', 'snapshotinfo: reply', 'wait event: reply']) {
    const one = cases.find(({ what }) => what === name);
    if (!one) throw new RangeError(name);
    waiting.push({ name, call: await stalled(one.call(world)) });
  }
  await world.snapshot.destroy();
  await world.data.detach();
  for (const { name, call } of waiting) {
    expect((await call.give()).error, name).toBe(null);
    faults.record({ kind: 'call', operation: 'destroy and detach', point: name, hit: 'page that was waited for', verdict: 'success' });
  }
});

test('a map that is replaced while it is read is there until that has ended', { timeout: limit(120_000), meta: { spec: ['CBT-04', 'CBT-06'] } }, async ({ lab, faults }) => {
  // So large that its memory is unmapped when it is given back.
  const l = await lab({ disks, params: { tracking_block_minimum_shift: 9, tracking_block_maximum_shift: 9 } });
  const stalled = await stalls(l);
  const loop = await makeLoop(l, 1024 * MIB);
  await l.attach(loop);
  const { generation } = await loop.cbtInfo();
  // More than the module is likely to hand over in one piece.
  const [before, length] = [4032, 8128];
  const call = await stalled(missingBuffer(loop, ctlCommand.cbtMap, mapArgument(0, length, stallAddress - BigInt(before)), new Uint8Array(0), before));
  await l.sh('truncate -s "$2" /tmp/backing; losetup -c "$1"', loop.path, `${1024 * MIB + 512}`);
  await (await l.takeSnapshot(loop)).destroy();
  expect((await loop.cbtInfo()).generation).not.toBe(generation);
  expect(await call.give()).toMatchObject({ error: null, ret: length });
  faults.record({ kind: 'call', operation: 'take', point: 'a map that is read', hit: 'page that was waited for', verdict: 'success' });
});
