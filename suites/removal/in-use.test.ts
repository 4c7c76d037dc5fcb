/** A device whose image somebody has open is in use, or it goes and the image fails; it is never read when it has gone.
 *  Drivers that ask whether a device is open (device-mapper, loop, partitions) free what I/O needs when it is not.
 *  Method: have the image open; let the device go; look who is refused, who waits, what is read, and that all goes after destroy. */
import {
  aio, CHUNK, driverLog, eventually, expect, freezeSteered, holdOpen, keepReads, makeLinear, makeLoop, makePartitions, makeTestDisk,
  moduleReferences, numbersOf, releaseTestDisk, removeTestDisk, startAio, startStuck, test, untilStill, whileSyncing, type Device, type Lab, type Steered,
} from '../fixtures/index.js';
import { disks, exists, lostFilter, scsiRescan } from './ways.js';

const MIB = 1024 * 1024;
const SECTOR = 512;

async function frozenImage(l: Lab, device: Device): Promise<{ snapshot: Awaited<ReturnType<Lab['takeSnapshot']>>; image: Device }> {
  await device.fill(1);
  await l.attach(device);
  const snapshot = await l.takeSnapshot(device);
  return { snapshot, image: await snapshot.image(device) };
}

/** Whether it was removed; else it is in use. */
async function goes(removal: Promise<unknown>): Promise<boolean> {
  return removal.then(() => true, (error: Error) => {
    expect(error.message).toMatch(/busy/i);
    return false;
  });
}

async function expectFailed(image: Device): Promise<void> {
  await expect(image.read(0, 4096)).rejects.toMatchObject({ name: 'ToolError' });
}

const removeLinear = 'dmsetup remove --noudevsync volume';

async function freezeVolume(lab: Parameters<typeof freezeSteered>[0]): Promise<Steered> {
  return freezeSteered(lab, { make: async (l, disk) => ({ device: await makeLinear(l, 'volume', disk, 64 * MIB) }) });
}

/** Something is read from the volume. A removal that goes ahead comes to wait for that, when device-mapper has freed what it needs. */
async function expectInUse(l: Lab): Promise<void> {
  let isGone: boolean | undefined;
  const removal = goes(l.sh(removeLinear)).then((isRemoved) => { isGone = isRemoved; });
  await untilStill(l, 'dmsetup', removal);
  expect(isGone, 'refused, for it is read').toBe(false);
}

const removals = [
  { what: 'a device-mapper device', make: (l: Lab) => makeLinear(l, 'volume', l.disk('second'), 8 * MIB), remove: removeLinear },
  { what: 'a partition', make: async (l: Lab) => (await makePartitions(l, l.disk('second'), [{ start: MIB, length: 7 * MIB }]))[0] as Device,
    remove: `blkio delpart "$1" 1` },
];

for (const { what, make, remove } of removals) {
  test(`${what} is in use while its image is open, or goes and the image fails`, { meta: { spec: ['FLT-10', 'IMG-02', 'SNP-05'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const device = await make(l);
    const { snapshot, image } = await frozenImage(l, device);
    const users = [await holdOpen(image), await holdOpen(image)];

    let isGone = await goes(l.sh(remove, l.disk('second').path));
    for (const user of users) {
      if (isGone) await expectFailed(image);
      else expect(await image.read(4 * MIB, 4096)).toEqual(await device.read(4 * MIB, 4096));
      await user.close();
      isGone ||= await goes(l.sh(remove, l.disk('second').path));
    }
    if (isGone) await expectFailed(image);
    await snapshot.destroy();
    if (!isGone) await l.sh(remove, l.disk('second').path);
    // Nobody else keeps the module.
    await lostFilter(l, device, 1);
  });
}

test('a device is in use by no more than before when its image is closed', { meta: { spec: ['IMG-02', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const volume = await makeLinear(l, 'volume', l.disk('second'), 8 * MIB);
  const openers = async () => (await l.sh('dmsetup info --columns --noheadings -o open volume')).trim();
  const { snapshot, image } = await frozenImage(l, volume);
  const before = await openers();
  for (let round = 0; round < 2; round++) {
    const users = [await holdOpen(image), await holdOpen(image)];
    await image.read(0, 4096);
    for (const user of users) await user.close();
    expect(await openers()).toBe(before);
  }
  await snapshot.destroy();
});

test('a loop device that is detached while its image is open goes later, or goes and the image fails', { meta: { spec: ['FLT-10', 'IMG-02', 'SNP-05'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const loop = await makeLoop(l, 8 * MIB);
  const { snapshot, image } = await frozenImage(l, loop);
  const user = await holdOpen(image);

  await l.sh('losetup -d "$1"', loop.path);
  if (await l.isAttached(loop)) expect(await image.read(4 * MIB, 4096)).toEqual(await loop.read(4 * MIB, 4096));
  else await expectFailed(image);

  await user.close();
  await snapshot.destroy();
  // Nobody else keeps the module.
  await lostFilter(l, loop, 1);
});

test('after destroy the device can go, though its image is still open', { meta: { spec: ['IMG-04', 'DIF-06'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const volume = await makeLinear(l, 'volume', l.disk('second'), 8 * MIB);
  const { snapshot, image } = await frozenImage(l, volume);
  const user = await holdOpen(image);
  await snapshot.destroy();
  await l.sh(removeLinear);
  await user.close();
});

test('a disk that is deleted goes wholly, though its image is still open', { meta: { spec: ['FLT-10', 'SNP-05', 'IMG-04'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const hot = l.disk('hot');
  const { snapshot, image } = await frozenImage(l, hot);
  const user = await holdOpen(image);
  const rescan = await scsiRescan(l, hot);
  const numbers = await numbersOf(l, hot);
  const references = await moduleReferences(l);
  await l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  await lostFilter(l, hot, references);
  // A driver gives up the number with the last reference to the disk.
  await rescan();
  await exists(l, hot);
  expect(await numbersOf(l, hot)).toEqual(numbers);
  await expectFailed(image);
  await user.close();
  await snapshot.destroy();
});

test('a disk whose driver waits for no bio is there as long as it is read for its image', { meta: { spec: ['FLT-10', 'SNP-05'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = await makeTestDisk(l);
  const { snapshot, image } = await frozenImage(l, disk);
  const [sector, length] = [4 * CHUNK / SECTOR, 4096];
  const before = (await driverLog(l)).length;
  await keepReads(l, sector);
  const reader = startAio(image, [{ op: 'read', offset: sector * SECTOR, length }]);
  await eventually('the read at the driver', () => driverLog(l), (bios) => bios.length > before);

  // It may wait for the read, or leave it to who reads to hold on to the disk: what the driver needs for the read is freed after it.
  const { command: removal } = await startStuck(l, removeTestDisk);
  await releaseTestDisk(l);
  expect([length, 'EIO']).toContain((await reader.done)[0]);
  expect((await removal.result).exitCode).toBe(0);
  await expectFailed(image);
  await snapshot.destroy();
  await lostFilter(l, disk, 1);
});

test('an image that is opened after its snapshot was lost does not keep the device', { meta: { spec: ['COW-06', 'IMG-04'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const volume = await makeLinear(l, 'volume', l.disk('second'), 8 * MIB);
  await volume.fill(1);
  await l.attach(volume);
  const snapshot = await l.takeSnapshot(volume, { storage: '/tmp/diff', limit: '512K' });
  await volume.fill(2);
  expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
  const user = await holdOpen(await snapshot.image(volume));
  await l.sh(removeLinear);
  await user.close();
  await snapshot.destroy();
});

test('a volume is not removed while it is read for its image', { meta: { spec: ['IMG-02', 'FLT-10'] } }, async ({ lab }) => {
  const s = await freezeVolume(lab);
  const hold = s.disk.hold({ kind: 'read' });
  const reader = startAio(s.image, [{ op: 'read', offset: 3 * CHUNK, length: 4096 }]);
  await hold.next();
  // Another user of the image that ends is not the last one.
  await (await holdOpen(s.image)).close();
  await expectInUse(s.l);
  hold.release();
  expect(await reader.done).toEqual([4096]);
  await s.snapshot.destroy();
  await s.l.sh(removeLinear);
});

test('a volume is not removed while it is read for a copy, though the snapshot is lost', { meta: { spec: ['COW-06', 'FLT-10'] } }, async ({ lab }) => {
  const s = await freezeVolume(lab);
  // Of two chunks one cannot be read. A module may read both at once, one after the other, or with one request.
  s.disk.fail({ kind: 'read', sector: 4 * CHUNK / SECTOR }, 'EIO');
  const late = s.disk.hold({ kind: 'read', sector: 3 * CHUNK / SECTOR });
  const writer = startAio(s.data, [{ offset: 4 * CHUNK - 8 * SECTOR, length: 16 * SECTOR }]);
  await untilStill(s.l, 'blkio', writer.done);
  // Another passes.
  if ((await s.data.snapshotInfo()).error !== 0) expect(await aio(s.data, [{ offset: 8 * CHUNK, length: 4096 }])).toEqual([4096]);
  if (late.caught.length > 0) await expectInUse(s.l);
  late.release();
  expect(await writer.done).toEqual([16 * SECTOR]);
  await s.snapshot.destroy();
  await s.l.sh(removeLinear);
});

test('a volume is not removed while it is read for a write to the image, though the snapshot is lost', { meta: { spec: ['COW-06', 'IMG-03', 'FLT-10'] } }, async ({ lab }) => {
  const s = await freezeVolume(lab);
  const stores = s.store.hold({ kind: 'write' });
  expect(await aio(s.data, [{ offset: 5 * CHUNK, length: 4096 }])).toEqual([4096]);
  const store = await whileSyncing(s.l, stores.next());
  const read = s.disk.hold({ kind: 'read', sector: 3 * CHUNK / SECTOR, sectors: CHUNK / SECTOR });
  const writer = startAio(s.image, [{ offset: 3 * CHUNK, length: 4096 }]);
  await untilStill(s.l, 'blkio', writer.done);
  store.fail('EIO');
  stores.release();
  await eventually('the loss of the snapshot', async () => {
    await s.l.sh('timeout 5 blockdev --flushbufs "$1" 2> /dev/null || true', s.l.disk('store').path);
    return s.data.snapshotInfo();
  }, ({ error }) => error !== 0);
  // A module need not read what it is given to write.
  if (read.caught.length > 0) await expectInUse(s.l);
  read.release();
  expect([4096, 'EIO']).toContain((await writer.done)[0]);
  await s.snapshot.destroy();
  await s.l.sh(removeLinear);
});
