/** A write marks each block that it touches, also partly, and no other.
 *  Method: write at chosen places, take, and compare the map with the model of the specification. */
import { dataDisk, expect, largeSectorDisk, playWrites, storeDisk, test, type Device, type DeviceWrite, type Lab } from '../fixtures/index.js';
import { CbtModel, type Granularity } from '../oracle/cbt.js';

const KIB = 1024;
const SECTOR = 512;
const smallBlocks = { tracking_block_minimum_shift: 12 };
const smallRule: Granularity = { minimumShift: 12, maximumCount: 2_097_152, maximumShift: 26 };

/** Attaches, writes, takes, and expects the marks of exactly these writes. */
async function expectMarksOf(l: Lab, device: Device, model: CbtModel, writes: readonly DeviceWrite[]): Promise<void> {
  await l.attach(device);
  await playWrites(device, writes);
  await l.takeSnapshot(device);
  for (const { offset, length } of writes) model.mark(offset, length);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
}

test('a 512-byte write marks its one block, at its start, in its middle and at its end', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await expectMarksOf(l, device, new CbtModel(dataDisk.sizeBytes), [
    { offset: 0, length: SECTOR },
    { offset: 3 * 64 * KIB + 32 * KIB, length: SECTOR },
    { offset: 6 * 64 * KIB - SECTOR, length: SECTOR },
    { offset: 9 * 64 * KIB, length: SECTOR },
  ]);
});

test('a write across the border of two blocks marks both', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab();
  await expectMarksOf(l, l.disk('data'), new CbtModel(dataDisk.sizeBytes), [{ offset: 10 * 64 * KIB - SECTOR, length: 2 * SECTOR }]);
});

test('a write of the last, partial block marks it, up to the last sector of the device', { meta: { spec: ['CBT-01', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const model = new CbtModel(dataDisk.sizeBytes);
  expect(dataDisk.sizeBytes % model.blockSize).not.toBe(0);
  await expectMarksOf(l, l.disk('data'), model, [{ offset: dataDisk.sizeBytes - SECTOR, length: SECTOR }]);
});

test('a write to the end of the last whole block leaves the partial block alone', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab();
  await expectMarksOf(l, l.disk('data'), new CbtModel(dataDisk.sizeBytes), [{ offset: dataDisk.sizeBytes - 4 * SECTOR, length: SECTOR }]);
});

test('writes of every size at every alignment mark just their blocks', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ params: smallBlocks });
  const block = 4 * KIB;
  const writes: DeviceWrite[] = [];
  // Up to three blocks and a sector, at each sector of a block; with a block between, so that no mark hides another's.
  for (let sectors = 1; sectors <= 25; sectors++) {
    for (let alignment = 0; alignment < 8; alignment++) {
      writes.push({ offset: writes.length * 6 * block + alignment * SECTOR, length: sectors * SECTOR });
    }
  }
  await expectMarksOf(l, l.disk('data'), new CbtModel(dataDisk.sizeBytes, smallRule), writes);
});

test('a write of a whole block or of many marks them to the last', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ params: smallBlocks });
  await expectMarksOf(l, l.disk('data'), new CbtModel(dataDisk.sizeBytes, smallRule), [
    { offset: 16 * KIB, length: 4 * KIB },
    { offset: 1024 * KIB, length: 1024 * KIB },
    { offset: 4096 * KIB + SECTOR, length: 2048 * KIB },
  ]);
});

test('a device with sectors of 4 KiB is marked by its own sectors', { meta: { spec: ['CBT-01', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ disks: [largeSectorDisk, storeDisk], params: smallBlocks });
  await expectMarksOf(l, l.disk('four'), new CbtModel(largeSectorDisk.sizeBytes, smallRule), [
    { offset: 0, length: 4 * KIB },
    { offset: 20 * KIB, length: 12 * KIB },
    { offset: largeSectorDisk.sizeBytes - 4 * KIB, length: 4 * KIB },
  ]);
});

test('on a device with sectors of 4 KiB blocks of 512 bytes are marked eight at a time', { meta: { spec: ['CBT-01', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ disks: [largeSectorDisk, storeDisk], params: { tracking_block_minimum_shift: 9 } });
  const rule = { ...smallRule, minimumShift: 9 };
  await expectMarksOf(l, l.disk('four'), new CbtModel(largeSectorDisk.sizeBytes, rule), [
    { offset: 8 * KIB, length: 4 * KIB },
    { offset: largeSectorDisk.sizeBytes - 4 * KIB, length: 4 * KIB },
  ]);
});

test('nothing is marked when nothing is written: reads, opens and flushes', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  await device.read(0, 64 * KIB);
  await device.sectors();
  await device.flush();
  await l.sh('blockdev --flushbufs "$1"; sync', device.path);
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new CbtModel(dataDisk.sizeBytes).frozen);
});
