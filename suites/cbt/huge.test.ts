/** Devices at the limits of the arithmetic: 16 TiB and beyond 32 bits of sectors, and parameters at their ends.
 *  Method: sparse loop devices; write at places where a number of 32 bits wraps and at the end, and look at marks and image there. */
import {
  dataDisk, expect, freezeData, imagesOf, largeDisk, moduleReferences, secondDisk, storeDisk, test, ToolError, type Device, type Lab,
} from '../fixtures/index.js';
import { defaultChunks, defaultTracking, unitSize } from '../oracle/cbt.js';

const SECTOR = 512;
const PIECE = 4096;
const TIB = 1024 ** 4;

async function sparse(l: Lab, bytes: number): Promise<Device> {
  await l.sh('truncate -s "$1" /tmp/sparse', `${bytes}`);
  const device = l.device(await l.sh('losetup --find --show /tmp/sparse'));
  l.defer(() => l.sh('losetup -d "$1"; rm /tmp/sparse', device.path));
  return device;
}

/** Units that these writes touch, in order. */
function touched(places: readonly number[], unit: number): number[] {
  return [...new Set(places.flatMap((place) => [Math.floor(place / unit), Math.floor((place + PIECE - 1) / unit)]))].sort((a, b) => a - b);
}

async function bytesWritten(l: Lab, device: Device): Promise<number> {
  return Number(await l.sh("awk '{ printf \"%d\", $7 * 512 }' /sys/class/block/$1/stat", device.name));
}

/** Blocks of the map that are marked. */
async function marked(device: Device): Promise<number[]> {
  const map = await device.cbtMap();
  const found: number[] = [];
  for (let block = map.findIndex((mark) => mark !== 0); block >= 0;) {
    found.push(block);
    const next = map.subarray(block + 1).findIndex((mark) => mark !== 0);
    block = next < 0 ? -1 : block + 1 + next;
  }
  return found;
}

const sizes = [
  { what: '2^44 bytes', bytes: 16 * TIB },
  { what: '2^44 bytes and a sector', bytes: 16 * TIB + SECTOR },
  { what: '2^44 bytes less 3 sectors', bytes: 16 * TIB - 3 * SECTOR },
];

for (const { what, bytes } of sizes) {
  test(`a device of ${what} is marked and copied where it is written`, { meta: { spec: ['CBT-01', 'CBT-02', 'COW-01', 'COW-02'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk, largeDisk] });
    const storage = l.disk('large');
    const device = await sparse(l, bytes);
    const last = bytes - bytes % SECTOR - PIECE;
    // Sectors and blocks that differ in a bit that a smaller type would not hold.
    const places = [0, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 41 - PIECE, 2 ** 41, 2 ** 42, 2 ** 43, last];
    for (const [index, place] of places.entries()) await device.write(place, new Uint8Array(PIECE).fill(index + 1));
    await l.attach(device);
    const info = await device.cbtInfo();
    const block = unitSize(bytes, defaultTracking);
    expect(info).toMatchObject({ capacity: bytes, block_size: block, block_count: Math.ceil(bytes / block) });

    const snapshot = await l.takeSnapshot(device, { storage: storage.path });
    const image = await snapshot.image(device);
    const written = await bytesWritten(l, storage);
    for (const place of places) await device.write(place, new Uint8Array(PIECE).fill(0xee));

    expect(await image.size()).toBe(bytes);
    for (const [index, place] of places.entries()) {
      expect((await image.read(place, PIECE)).equals(Buffer.alloc(PIECE, index + 1)), `the image at ${place}`).toBe(true);
      expect((await device.read(place, PIECE)).equals(Buffer.alloc(PIECE, 0xee)), `the device at ${place}`).toBe(true);
    }
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
    await snapshot.destroy();
    // Each chunk that was written to was stored once, and no other; the last one to its end. The latest may have stayed in memory.
    const chunk = unitSize(bytes, defaultChunks);
    const stored = touched(places, chunk).map((index) => Math.ceil(Math.min(chunk, bytes - index * chunk) / PIECE) * PIECE).reduce((sum, size) => sum + size, 0);
    await l.sh('sync; blockdev --flushbufs "$1"', storage.path);
    expect(await bytesWritten(l, storage) - written).toBeGreaterThanOrEqual(stored * 3 / 4);
    expect(await bytesWritten(l, storage) - written).toBeLessThan(stored + chunk / 2);
    await l.takeSnapshot(device, { storage: storage.path });
    expect(await marked(device)).toEqual(touched(places, block));
  });
}

const ends = [
  {
    what: 'the largest', block: 2 ** 26, params: {
      tracking_block_minimum_shift: 26, tracking_block_maximum_count: 1, tracking_block_maximum_shift: 26,
      chunk_minimum_shift: 26, chunk_maximum_count: 1, chunk_maximum_shift: 26,
    },
  },
  {
    what: 'the smallest', block: 2 ** 9, params: {
      tracking_block_minimum_shift: 9, tracking_block_maximum_count: 2 ** 16, tracking_block_maximum_shift: 9,
      chunk_minimum_shift: 12, chunk_maximum_count: 2 ** 16, chunk_maximum_shift: 12,
    },
  },
];

for (const { what, block, params } of ends) {
  test(`parameters at their ends work: ${what} units`, { meta: { spec: ['CBT-01', 'COW-02', 'COW-01'] } }, async ({ lab }) => {
    const l = await lab({ params });
    const { data, image, frozen } = await freezeData(l);
    const { block_size: size, block_count: count } = await data.cbtInfo();
    expect([size, count]).toEqual([block, Math.ceil(await data.size() / block)]);
    await data.fill(2, { offset: 5 * SECTOR, length: 1024 * 1024 });
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
  });
}

/** The module refuses it, or it succeeds. */
async function isDone(call: Promise<unknown>): Promise<boolean> {
  return call.then(() => true, (error: unknown) => {
    expect(error).toBeInstanceOf(ToolError);
    return false;
  });
}

async function expectNobodyKilled(l: Lab): Promise<void> {
  expect((await l.guest.klog()).map(({ text }) => text).join('\n')).not.toMatch(/Out of memory|oom-kill/);
}

const smallBlocks = { tracking_block_minimum_shift: 9, tracking_block_maximum_shift: 9 };

test('more blocks than can be counted are refused at attach, and the device stays as it was', { meta: { spec: ['CBT-01', 'ABI-03', 'FLT-03'] } }, async ({ lab }) => {
  const l = await lab({ params: smallBlocks });
  const device = await sparse(l, 16 * TIB);
  expect(await isDone(device.attach())).toBe(false);
  expect(await device.sysfsFilter()).toBe('\n');
  expect(await moduleReferences(l)).toBe(0);
});

/** A map of a byte for each is as large, in a guest with 512 MiB. */
const MANY = 1000 * 1024 * 1024;

test('more blocks than there is memory for are refused, if each takes some, and nobody is killed for them', { meta: { spec: ['ABI-03', 'FLT-03'] } }, async ({ lab }) => {
  const l = await lab({ params: smallBlocks });
  const device = await sparse(l, MANY * SECTOR);
  if (await isDone(device.attach())) {
    expect(await device.cbtInfo()).toMatchObject({ block_size: SECTOR, block_count: MANY });
    await device.detach();
  }
  expect(await device.sysfsFilter()).toBe('\n');
  await expectNobodyKilled(l);
});

test('a take of more chunks than there is memory for is refused, if each takes some, and nobody is killed for them', { meta: { spec: ['ABI-03', 'SNP-08'] } }, async ({ lab }) => {
  const l = await lab({ params: { chunk_minimum_shift: 12, chunk_maximum_shift: 12 } });
  const device = await sparse(l, MANY * SECTOR);
  await l.attach(device);
  const snapshot = await l.createSnapshot();
  await snapshot.add(device);
  const isTaken = await isDone(snapshot.take());
  await device.write(0, new Uint8Array(PIECE).fill(1));
  if (isTaken) expect(await (await snapshot.image(device)).read(0, PIECE)).toEqual(Buffer.alloc(PIECE));
  else expect(await imagesOf(l)).toEqual([]);
  await snapshot.destroy();
  expect(await device.read(0, PIECE)).toEqual(Buffer.alloc(PIECE, 1));
  await expectNobodyKilled(l);
});
