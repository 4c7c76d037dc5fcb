/** What changes data without carrying any marks as a write does; what changes none marks nothing.
 *  Method: discard, zero and flush at chosen places, take, and compare the map with the model. */
import { dataDisk, expect, fio, parseIolog, test } from '../fixtures/index.js';
import { CbtModel, type Granularity } from '../oracle/cbt.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;
const params = { tracking_block_minimum_shift: 12 };
const rule: Granularity = { minimumShift: 12, maximumCount: 2_097_152, maximumShift: 26 };

test('a discard marks what it discards, partial blocks too', { meta: { spec: ['CBT-02', 'FLT-13'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  await l.attach(device);
  for (const [offset, length] of [[0, 4 * KIB], [64 * KIB + SECTOR, 8 * KIB], [4 * MIB, 3 * MIB], [dataDisk.sizeBytes - SECTOR, SECTOR]] as const) {
    await device.discard(offset, length);
    model.mark(offset, length);
  }
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('writing zeroes without data marks what is zeroed', { meta: { spec: ['CBT-02', 'FLT-13'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  await l.attach(device);
  for (const [offset, length] of [[12 * KIB, SECTOR], [1 * MIB - SECTOR, 2 * SECTOR], [8 * MIB, 5 * MIB], [dataDisk.sizeBytes - 3 * SECTOR, 3 * SECTOR]] as const) {
    await device.zeroout(offset, length);
    model.mark(offset, length);
  }
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('a refused discard marks nothing that lies past the end', { meta: { spec: ['CBT-02'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  await expect(device.discard(dataDisk.sizeBytes - SECTOR, 2 * SECTOR)).rejects.toMatchObject({ errno: 'EINVAL' });
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new Uint8Array(new CbtModel(dataDisk.sizeBytes, rule).blockCount));
});

test('trims mixed with writes by fio are all marked', { meta: { spec: ['CBT-02'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  await l.attach(device);
  const log = '/tmp/trims';
  await fio(l.guest, { filename: device.path, rw: 'randtrim', bs: 4096, size: '16m', number_ios: 60, randseed: random.below(1e6), ioengine: 'psync', iodepth: 1, write_iolog: log });
  const trims = parseIolog((await l.guest.readFile(log)).toString());
  expect(trims.length).toBeGreaterThan(0);
  for (const { offset, length } of trims) model.mark(offset, length);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('a flush and a write forced through mark no more than the write', { meta: { spec: ['CBT-02', 'FLT-13'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  await l.attach(device);
  await device.flush();
  await device.write(40 * KIB, random.bytes(SECTOR), { sync: true });
  await device.flush();
  model.mark(40 * KIB, SECTOR);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});
