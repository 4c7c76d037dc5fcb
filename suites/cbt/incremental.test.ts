/** A full copy of one image, patched with the changed blocks of the images after it, equals the last image.
 *  Method: keep a copy on the host as a backup tool would, under load from fio, and compare it with each image. */
import { Backup, dataDisk, expect, fio, makeLoop, startLoad, test, tool } from '../fixtures/index.js';

const SECTOR = 512;
const GIB = 1024 ** 3;
const params = { tracking_block_minimum_shift: 12, chunk_minimum_shift: 14 };

const scattered = { rw: 'randwrite', bsrange: '512-16k', blockalign: 512, size: '16m', norandommap: 1, randrepeat: 0 } as const;

test('three increments in a row restore byte for byte, under load before, during and between', { meta: { spec: ['CBT-11', 'CBT-05', 'CBT-10', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab({ params: { ...params, tracking_block_maximum_count: 2 ** 24 } });
  const device = l.disk('data');
  const backup = new Backup(device);
  // Its map is large, and so a cut that takes it too lasts long enough for writes to fall into it.
  const beside = await makeLoop(l, 64 * GIB);
  await device.fill(1);
  await l.attach(device, beside);
  for (let round = 0; round < 4; round++) {
    const load = startLoad(l.guest, { filename: device.path, ...scattered, rate_iops: 40, numjobs: 4, rwmixwrite: 100 });
    await load.started;
    const snapshot = await l.takeSnapshot([device, beside]);
    await backup.run(snapshot);
    await load.stop();
    await expect(backup.sectors()).toHoldSectorsOf(await (await snapshot.image(device)).sectors());
    await snapshot.destroy();
    if (round > 0) expect(backup.copiedBlocks).toBeLessThan(dataDisk.sizeBytes / 4096);
  }
});

test('increments carry discards, zeroes, marks by hand and writes to the image', { meta: { spec: ['CBT-11', 'CBT-07', 'CBT-08'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const backup = new Backup(device);
  await device.fill(1);
  await l.attach(device);
  const first = await l.takeSnapshot(device);
  await backup.run(first);
  await device.discard(1 << 20, 64 << 10);
  await device.zeroout((2 << 20) + SECTOR, 9000 - 9000 % SECTOR);
  await device.write(dataDisk.sizeBytes - SECTOR, random.bytes(SECTOR));
  await device.cbtDirty([64, 8]);
  await first.destroy();

  const second = await l.takeSnapshot(device);
  const image = await second.image(device);
  await image.write((5 << 20) - SECTOR, random.bytes(2 * SECTOR));
  await backup.run(second);
  await expect(backup.sectors()).toHoldSectorsOf(await image.sectors());
  await second.destroy();

  // The image that was written is gone, and what it held there must be copied again.
  const third = await l.takeSnapshot(device);
  await backup.run(third);
  await expect(backup.sectors()).toHoldSectorsOf(await (await third.image(device)).sectors());
  expect(backup.copiedBlocks).toBe(2);
});

test('increments of every second or third snapshot miss nothing of those between', { meta: { spec: ['CBT-11', 'CBT-03'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const backup = new Backup(device);
  await l.attach(device);
  for (let round = 0; round < 6; round++) {
    await fio(l.guest, { filename: device.path, ...scattered, number_ios: 30, randseed: random.below(1e6) });
    const snapshot = await l.takeSnapshot(device);
    if ([0, 2, 5].includes(round)) {
      await backup.run(snapshot);
      await expect(backup.sectors()).toHoldSectorsOf(await (await snapshot.image(device)).sectors());
    }
    await snapshot.destroy();
  }
});

test('the extents that blksnapctl prints are those of the map, and the whole device for another generation', { meta: { spec: ['CBT-03', 'CBT-04'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  await (await l.takeSnapshot(device)).destroy();
  const { generation, changes, block_size: size } = await device.cbtInfo();
  await device.write(5 * size, random.bytes(2 * size));
  await device.write(dataDisk.sizeBytes - SECTOR, random.bytes(SECTOR));
  await l.takeSnapshot(device);
  const extents = async (uuid: string) => (await tool(l.guest, ['blksnapctl', 'cbt', 'map', device.path, '--since', `${changes}`, '--generation', uuid])).jsonLines();
  const last = Math.floor(dataDisk.sizeBytes / size) * size;
  expect(await extents(generation)).toEqual([{ offset: 5 * size, length: 2 * size }, { offset: last, length: dataDisk.sizeBytes - last }]);
  expect(await extents('12345678-1234-4234-8234-123456789abc')).toEqual([{ offset: 0, length: dataDisk.sizeBytes, full: true }]);
});
