/** A write is seen by the filter of every device whose sectors it lands in, whichever node it went through.
 *  Method: partition a disk, write through one node, and compare the map of the other with the model. */
import { dataDisk, expect, makePartitions, playWrites, test, type Device, type DeviceWrite, type Lab } from '../fixtures/index.js';
import { CbtModel, type Granularity } from '../oracle/cbt.js';

const KIB = 1024;
const SECTOR = 512;
const params = { tracking_block_minimum_shift: 12 };
const rule: Granularity = { minimumShift: 12, maximumCount: 2_097_152, maximumShift: 26 };

/** The second starts at an odd sector: its blocks are not the disk's. */
const first = { start: 1024 * KIB, length: 4096 * KIB };
const second = { start: 6144 * KIB + 3 * SECTOR, length: 4096 * KIB - 5 * SECTOR };

async function partitioned(l: Lab): Promise<[disk: Device, first: Device, second: Device]> {
  const [one, two] = await makePartitions(l, l.disk('data'), [first, second]) as [Device, Device];
  return [l.disk('data'), one, two];
}

/** Marks the part of each write that lies within the extent. */
function markWithin(model: CbtModel, extent: { start: number; length: number }, writes: readonly DeviceWrite[]): void {
  for (const { offset, length } of writes) {
    const from = Math.max(offset, extent.start);
    const to = Math.min(offset + length, extent.start + extent.length);
    if (to > from) model.mark(from - extent.start, to - from);
  }
}

/** On the whole disk: around both ends of the second partition, within it, over it, and elsewhere. */
const diskWrites: readonly DeviceWrite[] = [
  { offset: second.start - SECTOR, length: SECTOR },
  { offset: second.start - SECTOR, length: 2 * SECTOR },
  { offset: second.start + 40 * KIB, length: 4 * KIB },
  { offset: second.start + 100 * KIB - SECTOR, length: 2 * SECTOR },
  { offset: second.start + second.length - SECTOR, length: 3 * SECTOR },
  { offset: second.start + second.length, length: 4 * KIB },
  { offset: first.start + 12 * KIB, length: 8 * KIB },
  { offset: dataDisk.sizeBytes - SECTOR, length: SECTOR },
];

test('writes through the whole disk are marked on its filtered partition, where they lie in it', { meta: { spec: ['FLT-12', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const [disk, , part] = await partitioned(l);
  await l.attach(part);
  await playWrites(disk, diskWrites);
  await l.takeSnapshot(part);
  const model = new CbtModel(second.length, rule);
  markWithin(model, second, diskWrites);
  model.take();
  expect(await part.cbtMap()).toMark(model.frozen);
});

test('one write through the whole disk over two filtered partitions is marked on both', { meta: { spec: ['FLT-12', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const [disk, one, two] = await partitioned(l);
  await l.attach(one, two);
  const writes = [{ offset: first.start + first.length - 8 * KIB, length: 2048 * KIB }];
  await playWrites(disk, writes);
  await l.takeSnapshot([one, two]);
  for (const [part, extent] of [[one, first], [two, second]] as const) {
    const model = new CbtModel(extent.length, rule);
    markWithin(model, extent, writes);
    model.take();
    expect(await part.cbtMap(), part.path).toMark(model.frozen);
  }
});

test('one write through the whole disk over a filtered partition and more is marked on all of it, and not in its image', { meta: { spec: ['FLT-12', 'CBT-02', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const disk = l.disk('data');
  const small = { start: 1024 * KIB + SECTOR, length: 10 * KIB + SECTOR };
  const [part] = await makePartitions(l, disk, [small]) as [Device];
  await part.write(0, new Uint8Array(small.length).fill(1));
  await l.attach(part);
  const snapshot = await l.takeSnapshot(part);
  const writes = [{ offset: small.start - SECTOR, length: small.length + 2 * SECTOR }];
  await playWrites(disk, writes);
  expect(await (await snapshot.image(part)).read(0, small.length)).toEqual(Buffer.alloc(small.length, 1));
  await snapshot.destroy();
  await l.takeSnapshot(part);
  const model = new CbtModel(small.length, rule);
  model.take();
  markWithin(model, small, writes);
  model.take();
  expect(await part.cbtMap()).toMark(model.frozen);
});

test('writes through partitions are marked on the filtered whole disk, at their place on it', { meta: { spec: ['FLT-12', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const [disk, one, two] = await partitioned(l);
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  await l.attach(disk);
  for (const [part, extent] of [[one, first], [two, second]] as const) {
    const writes = [{ offset: 0, length: SECTOR }, { offset: 64 * KIB - SECTOR, length: 4 * KIB }, { offset: extent.length - SECTOR, length: SECTOR }];
    await playWrites(part, writes);
    for (const { offset, length } of writes) model.mark(extent.start + offset, length);
  }
  await l.takeSnapshot(disk);
  model.take();
  expect(await disk.cbtMap()).toMark(model.frozen);
});

test('with disk and partition both filtered, each write is marked on both, whichever it went through', { meta: { spec: ['FLT-12', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const [disk, , part] = await partitioned(l);
  const partWrites = [{ offset: 8 * KIB, length: SECTOR }, { offset: 400 * KIB, length: 64 * KIB }];
  const [diskModel, partModel] = [new CbtModel(dataDisk.sizeBytes, rule), new CbtModel(second.length, rule)];
  await l.attach(disk, part);
  await playWrites(disk, diskWrites);
  await playWrites(part, partWrites);
  const all = [...diskWrites, ...partWrites.map(({ offset, length }) => ({ offset: second.start + offset, length }))];
  for (const { offset, length } of all) diskModel.mark(offset, length);
  markWithin(partModel, second, all);
  await l.takeSnapshot([disk, part]);
  for (const model of [diskModel, partModel]) model.take();
  expect(await disk.cbtMap(), 'the disk').toMark(diskModel.frozen);
  expect(await part.cbtMap(), 'the partition').toMark(partModel.frozen);
});

test('a discard through the whole disk is marked on its filtered partition', { meta: { spec: ['FLT-12', 'FLT-13', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const [disk, , part] = await partitioned(l);
  const discarded = [{ offset: second.start - 64 * KIB, length: 128 * KIB }];
  await l.attach(part);
  for (const { offset, length } of discarded) await disk.discard(offset, length);
  await l.takeSnapshot(part);
  const model = new CbtModel(second.length, rule);
  markWithin(model, second, discarded);
  model.take();
  expect(await part.cbtMap()).toMark(model.frozen);
});
