/** Discard, write-zeroes and secure erase are overwrites: the old data is in the image, whatever their size and place.
 *  Method: a disk that does all three, a few sectors at a time; erasures at random places, beside writes, and the image compared. */
import { CHUNK, expect, keepReads, makeTestDisk, releaseTestDisk, test, untilStill, type Device } from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

const erasures: readonly { readonly what: string; readonly erase: (device: Device, offset: number, length: number) => Promise<unknown> }[] = [
  { what: 'discards', erase: (device, offset, length) => device.discard(offset, length) },
  { what: 'write-zeroes', erase: (device, offset, length) => device.zeroout(offset, length) },
  { what: 'secure erases', erase: ({ guest, path }, offset, length) => guest.run(['blkio', 'secdiscard', path, `${offset}`, `${length}`]) },
];

for (const { what, erase } of erasures) {
  test(`the image stays while ${what} fall on it, within chunks and across them`, { meta: { spec: ['COW-05', 'CBT-02'] } }, async ({ lab, random }) => {
    const l = await lab({ params: { chunk_minimum_shift: 16 } });
    const disk = await makeTestDisk(l, { maxSectors: 96 });
    await disk.fill(1);
    await l.attach(disk);
    const snapshot = await l.takeSnapshot(disk);
    const image = await snapshot.image(disk);
    const frozen = await disk.sectors();
    const { block_size: blockSize, changes } = await disk.cbtInfo();
    const touched = new Set<number>();
    for (let round = 0; round < 12; round++) {
      const offset = random.below(8192) * SECTOR;
      const length = (1 + random.below(600)) * SECTOR;
      await erase(disk, offset, length);
      for (let block = Math.floor(offset / blockSize); block * blockSize < offset + length; block++) touched.add(block);
    }
    // The last chunk, to the end; and a chunk that was written before it is erased.
    const end = await disk.size();
    await erase(disk, end - 3 * SECTOR, 3 * SECTOR);
    touched.add(Math.floor((end - 1) / blockSize));
    await disk.write(8192 * KIB, new Uint8Array(4 * KIB).fill(2));
    await erase(disk, 8192 * KIB, 64 * KIB);
    touched.add(8192 * KIB / blockSize);

    expect(await disk.read(8192 * KIB, 64 * KIB)).toEqual(Buffer.alloc(64 * KIB));
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
    expect(await disk.snapshotInfo()).toMatchObject({ error: 0 });
    await snapshot.destroy();
    await l.takeSnapshot(disk);
    const marked = [...await disk.cbtMap()].flatMap((mark, block) => (mark > changes ? [block] : []));
    expect(marked).toEqual([...touched].sort((a, b) => a - b));
  });
}

test('one discard of four thousand chunks copies each of them, and a second one passes', { meta: { spec: ['COW-05', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab({ params: { chunk_minimum_shift: 12 } });
  const data = l.disk('data');
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  const image = await snapshot.image(data);
  const frozen = await data.sectors();

  await data.discard(0, 16 * 1024 * KIB);
  await data.discard(0, 16 * 1024 * KIB);

  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});

test('a long chain of erasures of which the first ones wait for a copy ends, one after the other', { meta: { spec: ['FLT-13', 'COW-05', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab();
  // Two thousand bios: ends that call each other would not fit on a stack.
  const disk = await makeTestDisk(l, { maxSectors: 8 });
  await disk.fill(1);
  await l.attach(disk);
  const snapshot = await l.takeSnapshot(disk);
  const frozen = await disk.sectors();
  await disk.fill(2, { offset: CHUNK, length: 8 * MIB - CHUNK });
  await keepReads(l, 0);
  const zeroed = disk.zeroout(0, 8 * MIB);
  await untilStill(l, 'blkio', zeroed);
  await releaseTestDisk(l);
  await zeroed;
  expect((await disk.read(0, 8 * MIB)).every((byte) => byte === 0)).toBe(true);
  await expect(await (await snapshot.image(disk)).sectors()).toHoldSectorsOf(frozen);
});
