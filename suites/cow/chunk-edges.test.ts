/** A chunk is copied whole before its first overwrite, wherever in it the write is and whatever kind it is.
 *  Method: one change at a chosen place, then the whole image against the device at the cut. */
import type { Device } from '../fixtures/index.js';
import { expect, freezeData, test } from '../fixtures/index.js';

const SECTOR = 512;
const CHUNK = 256 * 1024;
const CAPACITY = 16 * 1024 * 1024 + 3 * SECTOR;
const noise = (length: number): Uint8Array => new Uint8Array(length).fill(0xee);

type Change = (device: Device) => Promise<void>;

const changes: readonly (readonly [what: string, change: Change])[] = [
  ['its first sector', (device) => device.write(3 * CHUNK, noise(SECTOR))],
  ['its last sector', (device) => device.write(4 * CHUNK - SECTOR, noise(SECTOR))],
  ['a sector in its middle', (device) => device.write(3 * CHUNK + 100 * SECTOR, noise(SECTOR))],
  ['the whole chunk', (device) => device.write(3 * CHUNK, noise(CHUNK))],
  ['both sides of a border', (device) => device.write(3 * CHUNK - SECTOR, noise(2 * SECTOR))],
  ['three chunks and a half from the middle of one', (device) => device.write(2 * CHUNK + 5 * SECTOR, noise(3.5 * CHUNK))],
  ['the last, partial chunk', (device) => device.write(CAPACITY - SECTOR, noise(SECTOR))],
  ['the very first sector of the device', (device) => device.write(0, noise(SECTOR))],
  ['a buffered sector', (device) => device.write(5 * CHUNK + SECTOR, noise(SECTOR), { direct: false, sync: true })],
  ['a synchronous sector', (device) => device.write(5 * CHUNK + SECTOR, noise(SECTOR), { sync: true })],
  ['a discard inside one chunk', (device) => device.discard(3 * CHUNK + 8 * SECTOR, 16 * SECTOR)],
  ['a discard of 3.5 chunks from the middle of one', (device) => device.discard(3 * CHUNK + CHUNK / 2, 3.5 * CHUNK)],
  ['a discard of everything', (device) => device.discard(0, CAPACITY)],
  ['zeroes written without data', (device) => device.zeroout(3 * CHUNK + 7 * SECTOR, 2 * CHUNK)],
];

for (const [what, change] of changes) {
  test(`the image keeps what ${what} overwrites`, { meta: { spec: what.includes('discard') || what.includes('zeroes') ? ['COW-01', 'COW-05'] : ['COW-01', 'COW-03'] } }, async ({ lab }) => {
    const { data, image, frozen } = await freezeData(await lab());
    await change(data);
    expect((await data.hostSectors()).sums).not.toEqual(frozen.sums);
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
  });
}

test('a second overwrite of a chunk leaves its first copy', { meta: { spec: ['COW-01', 'COW-03'] } }, async ({ lab }) => {
  const { data, image, frozen } = await freezeData(await lab());
  await data.write(3 * CHUNK, noise(SECTOR));
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
  await data.write(3 * CHUNK + SECTOR, noise(CHUNK - SECTOR));
  await data.write(3 * CHUNK, noise(CHUNK).fill(0x11));
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});

test('a chunk is copied once, however often it is overwritten', { meta: { spec: ['COW-03'] } }, async ({ lab }) => {
  // Room for four chunks: too little for a copy at each of eight changes, and for five different chunks.
  const { data, snapshot, image, frozen } = await freezeData(await lab(), { limit: '1M' });
  for (let round = 0; round < 8; round++) await data.write(3 * CHUNK + round * 8 * SECTOR, noise(SECTOR));
  await data.write(5 * CHUNK, noise(SECTOR));
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  for (const chunk of [6, 7, 8]) await data.write(chunk * CHUNK, noise(SECTOR));
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', error_name: 'ENOSPC' });
  expect(await data.snapshotInfo()).toMatchObject({ error_name: 'ENOSPC' });
});

test('a writer that must not wait is told so, and writes nothing', { meta: { spec: ['COW-04'] } }, async ({ lab }) => {
  const { data, image, frozen } = await freezeData(await lab());
  await expect(data.write(3 * CHUNK, noise(SECTOR), { nowait: true })).rejects.toMatchObject({ errno: 'EAGAIN' });
  await expect(await data.hostSectors()).toHoldSectorsOf(frozen);
  await data.write(3 * CHUNK, noise(SECTOR));
  await data.write(3 * CHUNK + SECTOR, noise(SECTOR), { nowait: true });
  expect(await data.read(3 * CHUNK, 2 * SECTOR)).toEqual(Buffer.from(noise(2 * SECTOR)));
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});
