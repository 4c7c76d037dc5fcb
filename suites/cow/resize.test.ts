/** A device that grows or shrinks while it is tracked: the image of the old size is right or lost, never wrong, and what the
 *  map cannot know begins a new generation.
 *  Method: every way to resize, idle and during a hold, with writes to the old part and to the new one. */
import {
  aio, dataDisk, eventually, expect, filledSectors, freezeSteered, makeLinear, makeLoop, makePartitions, mountExt4, resizeLinear, secondDisk, startLoad, startStuck,
  steeredLab, storeDisk, test,
  type Device, type Lab, type Snapshot,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;
const SECTOR = 512;
/** Of each device at first; neither blocks nor chunks are whole. */
const SIZE = 8 * MIB + 3 * SECTOR;
const LARGER = 12 * MIB + 5 * SECTOR;
const SMALLER = 5 * MIB + SECTOR;
const disks = [dataDisk, secondDisk, storeDisk];

interface Target {
  readonly device: Device;
  readonly resize: (bytes: number) => Promise<unknown>;
}

async function resizeDisk(l: Lab, disk: Device, bytes: number): Promise<void> {
  await l.guest.monitor('block_resize', { 'node-name': 'disk-second', size: bytes });
  await eventually(`${bytes} bytes`, () => disk.size(), (size) => size === bytes);
}

const ways: readonly { what: string; make: (l: Lab) => Promise<Target> }[] = [
  { what: 'a loop device', make: async (l) => {
    const device = await makeLoop(l, SIZE);
    return { device, resize: (bytes) => l.sh('truncate -s "$2" /tmp/backing; losetup -c "$1"', device.path, `${bytes}`) };
  } },
  { what: 'a device-mapper device', make: async (l) => {
    const below = l.disk('second');
    const device = await makeLinear(l, 'sized', below, SIZE);
    return { device, resize: (bytes) => resizeLinear(l, 'sized', below, bytes) };
  } },
  { what: 'a partition', make: async (l) => {
    const [device] = await makePartitions(l, l.disk('second'), [{ start: MIB, length: SIZE }]) as [Device];
    return { device, resize: (bytes) => l.sh('blkio resizepart "$1" 1 "$2" "$3"', l.disk('second').path, `${MIB}`, `${bytes}`) };
  } },
  { what: 'a disk of the machine', make: async (l) => {
    const device = l.disk('second');
    await resizeDisk(l, device, SIZE);
    return { device, resize: (bytes) => resizeDisk(l, device, bytes) };
  } },
];

/** A partition stays as it is when its disk gets too small for it. */
const lostBelow = { what: 'a partition on a disk', make: async (l: Lab): Promise<Target> => {
  const disk = l.disk('second');
  const [device] = await makePartitions(l, disk, [{ start: MIB, length: SIZE }]) as [Device];
  return { device, resize: (bytes) => resizeDisk(l, disk, MIB + bytes) };
} };

/** The device is tracked anew, over all of it. */
async function expectNewMap(device: Device, generation: string, size: number): Promise<void> {
  const info = await device.cbtInfo();
  expect(info.generation).not.toBe(generation);
  expect(info).toMatchObject({ capacity: size, block_count: Math.ceil(size / info.block_size) });
  expect(await device.cbtMap()).toHaveLength(info.block_count);
}

/** The image has the size and the content of the cut, or it is lost for all. */
async function expectRightOrLost(device: Device, image: Device): Promise<void> {
  if ((await device.snapshotInfo()).error === 0) {
    expect(await image.size()).toBe(SIZE);
    await expect(await image.sectors()).toHoldSectorsOf(filledSectors(SIZE, 1));
  } else {
    await expect(image.read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  }
}

/** If it was lost, that was told. */
async function expectTold(device: Device, snapshot: Snapshot): Promise<void> {
  if ((await device.snapshotInfo()).error !== 0) expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted' });
}

for (const { what, make } of ways) {
  test(`${what} that grows is tracked over all of it from the next snapshot on`, { meta: { spec: ['CBT-04', 'COW-10', 'CBT-11'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const { device, resize } = await make(l);
    await device.fill(1);
    await l.attach(device);
    await (await l.takeSnapshot(device)).destroy();
    const { generation } = await device.cbtInfo();
    await resize(LARGER);
    await device.fill(2, { offset: 8 * MIB });

    const snapshot = await l.takeSnapshot(device);
    await expectNewMap(device, generation, LARGER);
    const { block_size: block, changes } = await device.cbtInfo();
    const frozen = await device.sectors();
    await device.write(11 * MIB, new Uint8Array(4096).fill(1));
    await device.fill(3, { length: MIB });
    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(frozen);
    await snapshot.destroy();

    await l.takeSnapshot(device);
    const map = await device.cbtMap();
    expect([...map.keys()].filter((index) => (map[index] as number) > changes)).toEqual([...Array.from({ length: MIB / block }, (_, index) => index), 11 * MIB / block]);
  });

  // Nothing tells when the driver has heard of it.
  if (what !== 'a disk of the machine') test(`${what} that is given the size that it has goes on as it was`, { meta: { spec: ['CBT-04', 'CBT-12', 'COW-10'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const { device, resize } = await make(l);
    await device.fill(1);
    await l.attach(device);
    await (await l.takeSnapshot(device)).destroy();
    await device.write(3 * MIB, new Uint8Array(4096).fill(1));
    const { generation, block_size: block } = await device.cbtInfo();
    await resize(SIZE);
    const snapshot = await l.takeSnapshot(device);
    const frozen = await device.sectors();
    await resize(SIZE);
    await device.fill(2, { length: 4 * MIB });

    const { generation: after, changes } = await device.cbtInfo();
    expect(after).toBe(generation);
    expect((await device.cbtMap(3 * MIB / block, 1))[0]).toBe(changes);
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(frozen);
  });

  test(`the image of ${what} that grows during the hold stays as it is, or is lost`, { meta: { spec: ['COW-10', 'CBT-04', 'COW-01'] } }, async ({ lab, random }) => {
    const l = await lab({ disks });
    const { device, resize } = await make(l);
    await device.fill(1);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device);
    const image = await snapshot.image(device);
    const { generation } = await device.cbtInfo();
    const load = startLoad(l.guest, { filename: device.path, size: '5M', rw: 'randwrite', bs: '4k-64k', blockalign: '4k', randseed: random.below(1e9) });
    await load.started;

    await resize(LARGER);
    await load.stop();
    await device.fill(2);

    await expectRightOrLost(device, image);
    await expect(await device.sectors()).toHoldSectorsOf(filledSectors(LARGER, 2));
    await expectTold(device, snapshot);
    await snapshot.destroy();
    await l.takeSnapshot(device);
    await expectNewMap(device, generation, LARGER);
  });

  test(`${what} that shrinks between snapshots is tracked anew, at its new size and at its old one`, { meta: { spec: ['CBT-04'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const { device, resize } = await make(l);
    await l.attach(device);
    for (const sizes of [[SMALLER], [LARGER, SMALLER], [SIZE, SMALLER]]) {
      await (await l.takeSnapshot(device)).destroy();
      const { generation } = await device.cbtInfo();
      for (const size of sizes) await resize(size);
      const snapshot = await l.takeSnapshot(device);
      await expectNewMap(device, generation, sizes.at(-1) ?? 0);
      expect(await (await snapshot.image(device)).size()).toBe(SMALLER);
      await snapshot.destroy();
      // Once is enough.
      const { generation: anew, changes } = await device.cbtInfo();
      await (await l.takeSnapshot(device)).destroy();
      expect(await device.cbtInfo()).toMatchObject({ generation: anew, changes: changes + 1 });
    }
  });
}

for (const { what, make } of [...ways, lostBelow]) {
  test(`the image of ${what} that shrinks during the hold is right or lost, also when it grows back`, { meta: { spec: ['COW-10', 'CBT-04', 'COW-06'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const { device, resize } = await make(l);
    await device.fill(1);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device);
    const image = await snapshot.image(device);
    const { generation } = await device.cbtInfo();

    for (const size of [SMALLER, SIZE]) {
      await resize(size);
      await device.fill(2, { length: 2 * MIB });
      await expectRightOrLost(device, image);
    }

    await expectTold(device, snapshot);
    await snapshot.destroy();
    // Between the two sizes something was lost that never was a write.
    const next = await l.takeSnapshot(device);
    await expectNewMap(device, generation, SIZE);
    const frozen = await device.sectors();
    await device.fill(4);
    await expect(await (await next.image(device)).sectors()).toHoldSectorsOf(frozen);
  });
}

test('nothing is copied of what lies behind the end that the image has', { meta: { spec: ['COW-10', 'COW-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab, { make: async (l, disk) => ({ device: await makeLinear(l, 'sized', disk, SIZE) }) });
  await resizeLinear(s.l, 'sized', s.l.disk('data'), LARGER);
  const beyond = { sector: SIZE / SECTOR, sectors: (LARGER - SIZE) / SECTOR };
  const chunk = s.layout.chunk * SECTOR;
  const next = Math.ceil(SIZE / chunk) * chunk;
  // One begins in the last chunk.
  const writes = [{ offset: next, length: 4096 }, { offset: next + MIB, length: MIB }, { offset: next - 4096, length: 2 * chunk }];
  expect(await aio(s.data, writes)).toEqual(writes.map(({ length }) => length));
  expect(s.disk.requests({ kind: 'read', ...beyond })).toEqual([]);
  expect(s.disk.requests({ kind: 'write', ...beyond })).not.toEqual([]);
});

test('a device that grows while its filter is being attached is tracked over all of it', { meta: { spec: ['CBT-04', 'CBT-11'] } }, async ({ lab }) => {
  const l = await steeredLab(lab);
  const disk = l.disk('data');
  const [part] = await makePartitions(l, disk, [{ start: MIB, length: 32 * MIB }]) as [Device];
  await mountExt4(l, part, '/mnt/a', [], '16M');
  await l.sh('echo dirty > /mnt/a/file');
  // To freeze the file system takes writes.
  const hold = l.programmable('data').hold({ kind: 'write' });
  const attach = l.attach(part);
  await hold.next();
  const { command: growth } = await startStuck(l, `exec blkio resizepart "$1" 1 ${MIB} ${48 * MIB}`, disk.path);
  hold.release();
  await attach;
  expect((await growth.result).exitCode).toBe(0);

  await (await l.takeSnapshot(part)).destroy();
  const { capacity, block_size: block } = await part.cbtInfo();
  expect(capacity).toBe(48 * MIB);
  await part.write(40 * MIB, new Uint8Array(4096).fill(1));
  const next = await l.takeSnapshot(part);
  expect((await part.cbtMap(40 * MIB / block, 1))[0]).toBe((await part.cbtInfo()).changes);
  await next.destroy();
});
