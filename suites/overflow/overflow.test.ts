/** A full difference storage costs the snapshot, and nothing but the snapshot.
 *  Method: overwrite more than the storage holds; look at the image, the events, and each sector of the original. */
import { dataDisk, expect, fio, filledSectors, mountExt4, numbersOf, secondDisk, startLoad, storeDisk, test, type Device, type Lab } from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const CHUNK = 256 * 1024;
const CAPACITY = 16 * MIB + 3 * SECTOR;

const overflowed = { error: -28, error_name: 'ENOSPC' };

/** Sectors that the guest has read from the disk so far. */
async function sectorsRead(l: Lab, device: Device): Promise<number> {
  return Number(await l.sh(`awk '{ print $3 }' "/sys/block/$1/stat"`, device.name));
}

test('an overflow fails the image, and the original holds all that was written', { meta: { spec: ['DIF-03', 'COW-06', 'EVT-02', 'COW-09'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  const numbers = await numbersOf(l, data);
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '4M' });
  const image = await snapshot.image(data);
  await data.fill(2, { length: 3 * MIB });
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });

  await data.fill(2);

  await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2));
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...numbers, ...overflowed });
  expect(await data.snapshotInfo()).toMatchObject(overflowed);
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
  // What is stored, what was lost, and what the device still has: none of it is given out.
  for (const offset of [0, CHUNK, 8 * MIB, CAPACITY - SECTOR]) {
    await expect(image.read(offset, SECTOR)).rejects.toMatchObject({ errno: 'EIO' });
  }
  await expect(image.sectors()).rejects.toMatchObject({ errno: 'EIO' });
});

test('after an overflow the original is neither copied nor read for the snapshot', { meta: { spec: ['DIF-03', 'COW-06'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '1M' });
  await data.fill(2, { length: 2 * MIB });
  await snapshot.waitEvent();
  const before = await sectorsRead(l, data);

  await data.write(4 * MIB, new Uint8Array(8 * MIB).fill(0xee));

  // Nobody has to wait for a copy any more.
  await data.write(12 * MIB, new Uint8Array(4096).fill(0xee), { nowait: true });

  expect(await sectorsRead(l, data)).toBe(before);
  expect(await data.read(4 * MIB, SECTOR)).toEqual(Buffer.alloc(SECTOR, 0xee));
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
});

test('the data of writers that meet the limit together is right, and one event is raised', { meta: { spec: ['DIF-03', 'COW-06', 'EVT-02'] } }, async ({ lab, random }) => {
  const l = await lab({ params: { chunk_minimum_shift: 16 } });
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '2M' });

  // Eight writers, each verifying what it wrote in its own eighth.
  await fio(l.guest, {
    filename: data.path, rw: 'randwrite', bs: '4k', numjobs: 8, size: '2M', offset_increment: '2M', iodepth: 4,
    verify: 'crc32c', do_verify: 1, group_reporting: true, randseed: random.below(1e9),
  });

  expect(await snapshot.waitEvent()).toMatchObject(overflowed);
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
  expect(await data.snapshotInfo()).toMatchObject(overflowed);
});

test('each device of a snapshot that overflows has its own event', { meta: { spec: ['DIF-01', 'EVT-02', 'COW-06'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const [data, second] = [l.disk('data'), l.disk('second')];
  const numbers = [await numbersOf(l, data), await numbersOf(l, second)];
  await l.attach(data, second);
  const snapshot = await l.takeSnapshot([data, second], { limit: '4M' });

  await Promise.all([data.fill(2, { device: 1 }), second.fill(2, { device: 2 })]);

  const events = [await snapshot.waitEvent(), await snapshot.waitEvent()];
  for (const each of numbers) expect(events).toContainEqual(expect.objectContaining({ ...each, ...overflowed }));
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
  await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2, 1));
  await expect(await second.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2, 2));
});

test('one snapshot that overflows leaves another alone', { meta: { spec: ['SNP-03', 'COW-06'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const [data, second] = [l.disk('data'), l.disk('second')];
  await second.fill(1, { device: 2 });
  await l.attach(data, second);
  const full = await l.takeSnapshot(data, { storage: '/tmp/small', limit: '1M' });
  const good = await l.takeSnapshot(second);
  await data.fill(2);
  await second.fill(2, { device: 2 });

  expect(await full.waitEvent()).toMatchObject(overflowed);
  await expect(good.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
  await expect(await (await good.image(second)).sectors()).toHoldSectorsOf(filledSectors(CAPACITY, 1, 2));
});

test('a file system that is full before the limit overflows the snapshot', { meta: { spec: ['DIF-03', 'DIF-02', 'COW-06'] } }, async ({ lab, random }) => {
  const l = await lab({ params: { diff_storage_minimum: 2 * MIB / SECTOR } });
  const data = l.disk('data');
  await mountExt4(l, l.disk('store'), '/mnt/store', [], '8M');
  const freeBlocks = async (): Promise<number> => Number(await l.sh('sync; stat -f -c %f /mnt/store'));
  const free = await freeBlocks();
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: '/mnt/store/diff', limit: '1G' });
  const load = startLoad(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k-64k', randseed: random.below(1e9) });

  expect(await snapshot.waitEvent()).toMatchObject(overflowed);

  expect((await load.stop()).writes).toBeGreaterThan(0);
  await expect((await snapshot.image(data)).read(0, SECTOR)).rejects.toMatchObject({ errno: 'EIO' });
  await snapshot.destroy();
  expect(await freeBlocks()).toBeGreaterThanOrEqual(free);
  expect(await l.sh('echo more > /mnt/store/other; cat /mnt/store/other')).toBe('more');
});

test('a file system that was filled by others before the first copy lets the writes pass', { meta: { spec: ['DIF-03', 'DIF-02', 'COW-06'] } }, async ({ lab }) => {
  // The first portion holds no chunk, or few: a write has to wait until there is more, and there is none.
  const l = await lab({ params: { diff_storage_minimum: CHUNK / 4 / SECTOR } });
  const data = l.disk('data');
  await mountExt4(l, l.disk('store'), '/mnt/store', [], '8M');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: '/mnt/store/diff', limit: '1G' });
  await l.sh('dd if=/dev/zero of=/mnt/store/other bs=4k oflag=direct 2> /dev/null || true; sync');

  await data.fill(2);

  expect(await snapshot.waitEvent()).toMatchObject(overflowed);
  await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2));
});

test('after an overflow the next snapshot is good', { meta: { spec: ['DIF-03', 'SNP-01', 'CBT-09'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const lost = await l.takeSnapshot(data, { limit: '1M' });
  await data.fill(2);
  expect(await lost.waitEvent()).toMatchObject(overflowed);
  const generation = (await data.cbtInfo()).generation;
  await lost.destroy();

  const good = await l.takeSnapshot(data);
  await data.fill(3);

  await expect(await (await good.image(data)).sectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2));
  expect((await data.cbtInfo()).generation).toBe(generation);
  expect((await data.cbtMap()).every((mark) => mark === 2)).toBe(true);
});
