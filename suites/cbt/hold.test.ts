/** There is one map to mark and one to read, which stands still from take to take.
 *  Method: write before, during and after holds, and compare each frozen map with the model. */
import { dataDisk, expect, playWrites, secondDisk, storeDisk, test, type Device, type DeviceWrite } from '../fixtures/index.js';
import { CbtModel, changedSince } from '../oracle/cbt.js';

const KIB = 1024;
const BLOCK = 64 * KIB;
const SECTOR = 512;

/** Writes to the device and tells the model. */
async function write(device: Device, model: CbtModel, writes: readonly DeviceWrite[]): Promise<void> {
  await playWrites(device, writes);
  for (const { offset, length } of writes) model.mark(offset, length);
}

const at = (block: number, length = SECTOR): DeviceWrite => ({ offset: block * BLOCK, length });

test('before the first take the map to read is empty', { meta: { spec: ['CBT-05'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes);
  await l.attach(device);
  await write(device, model, [at(3)]);
  expect(await device.cbtMap()).toMark(new Uint8Array(model.blockCount));
  expect(await device.cbtInfo()).toMatchObject({ capacity: dataDisk.sizeBytes, block_size: model.blockSize, block_count: model.blockCount, changes: 0 });
});

test('writes during the hold do not show in the frozen map, and show in the next one', { meta: { spec: ['CBT-05', 'CBT-09'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes);
  await l.attach(device);
  await write(device, model, [at(1), at(5)]);
  const first = await l.takeSnapshot(device);
  model.take();
  const frozen = model.frozen;
  await write(device, model, [at(1), at(9), at(256)]);
  expect(await device.cbtMap()).toMark(frozen);
  await first.destroy();
  expect(await device.cbtMap()).toMark(frozen);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('each take raises the number, and what changed since an earlier one is what is larger', { meta: { spec: ['CBT-03', 'CBT-09'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes);
  await l.attach(device);
  const { generation } = await device.cbtInfo();
  for (let round = 1; round <= 4; round++) {
    await write(device, model, [at(round), at(100 + round), at(50)]);
    const snapshot = await l.takeSnapshot(device);
    model.take();
    expect(await device.cbtInfo()).toMatchObject({ changes: round, generation });
    const map = await device.cbtMap();
    expect(map).toMark(model.frozen);
    expect(changedSince(map, round - 1)).toEqual([round, 50, 100 + round]);
    await snapshot.destroy();
  }
  expect(changedSince(await device.cbtMap(), 2)).toEqual([3, 4, 50, 103, 104]);
});

test('a write to the image marks its blocks in both maps', { meta: { spec: ['CBT-08'] } }, async ({ lab, random }) => {
  const l = await lab();
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes);
  await l.attach(device);
  const snapshot = await l.takeSnapshot(device);
  model.take();
  const image = await snapshot.image(device);
  // A block that the device has changed meanwhile is marked in the active map already.
  await write(device, model, [at(7)]);
  await image.write(7 * BLOCK, random.bytes(SECTOR));
  model.markBoth(7 * BLOCK, SECTOR);
  await image.write(20 * BLOCK - SECTOR, random.bytes(2 * SECTOR));
  model.markBoth(20 * BLOCK - SECTOR, 2 * SECTOR);
  expect(await device.cbtMap()).toMark(model.frozen);
  await snapshot.destroy();
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('a snapshot that was never taken leaves number and map alone', { meta: { spec: ['CBT-03', 'CBT-04'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  await playWrites(device, [at(2)]);
  await (await l.takeSnapshot(device)).destroy();
  const [info, map] = [await device.cbtInfo(), await device.cbtMap()];
  const untaken = await l.createSnapshot();
  await untaken.add(device);
  await playWrites(device, [at(4)]);
  await untaken.destroy();
  expect(await device.cbtInfo()).toEqual(info);
  expect(await device.cbtMap()).toMark(map);
});

test('the map of one device says nothing of another in the same snapshot', { meta: { spec: ['CBT-02', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const [data, second] = [l.disk('data'), l.disk('second')];
  const models = [new CbtModel(dataDisk.sizeBytes), new CbtModel(dataDisk.sizeBytes)] as const;
  await l.attach(data, second);
  await write(data, models[0], [at(10)]);
  await write(second, models[1], [at(20)]);
  await l.takeSnapshot([data, second]);
  for (const model of models) model.take();
  expect(await data.cbtMap()).toMark(models[0].frozen);
  expect(await second.cbtMap()).toMark(models[1].frozen);
});
