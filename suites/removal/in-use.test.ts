/** A device whose image somebody has open is in use: what its driver gives to nobody's device, it gives not to this one either.
 *  Drivers that ask whether a device is open (device-mapper, loop, partitions) free what I/O needs when it is not.
 *  Method: have the image open; let the device go; look who is refused, who waits, and that all goes when the image is closed. */
import {
  aio, CHUNK, expect, freezeSteered, holdOpen, makeLinear, makeLoop, makePartitions, numbersOf, startAio, test, type Device, type Lab,
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

const removeLinear = 'dmsetup remove --noudevsync volume';

const refused = [
  { what: 'a device-mapper device', make: (l: Lab) => makeLinear(l, 'volume', l.disk('second'), 8 * MIB), remove: removeLinear },
  { what: 'a partition', make: async (l: Lab) => (await makePartitions(l, l.disk('second'), [{ start: MIB, length: 7 * MIB }]))[0] as Device,
    remove: `blkio delpart "$1" 1` },
];

for (const { what, make, remove } of refused) {
  test(`${what} is not removed while its image is open, and is when it is closed`, { meta: { spec: ['FLT-10', 'IMG-02', 'SNP-05'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const device = await make(l);
    const { snapshot, image } = await frozenImage(l, device);
    const user = await holdOpen(image);
    const other = await holdOpen(image);

    await expect(l.sh(remove, l.disk('second').path)).rejects.toThrow(/busy/i);
    await other.close();
    await expect(l.sh(remove, l.disk('second').path)).rejects.toThrow(/busy/i);
    expect(await image.read(4 * MIB, 4096)).toEqual(await device.read(4 * MIB, 4096));

    await user.close();
    await l.sh(remove, l.disk('second').path);
    await lostFilter(l, device, 1);
    await expect(image.read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    await snapshot.destroy();
  });
}

test('a loop device that is detached while its image is open goes when the image is closed', { meta: { spec: ['FLT-10', 'IMG-02', 'SNP-05'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const loop = await makeLoop(l, 8 * MIB);
  const { snapshot, image } = await frozenImage(l, loop);
  const user = await holdOpen(image);

  await l.sh('losetup -d "$1"', loop.path);
  expect(await loop.sysfsFilter()).toBe('blksnap\n');
  expect(await image.read(4 * MIB, 4096)).toEqual(await loop.read(4 * MIB, 4096));

  await user.close();
  await lostFilter(l, loop, 1);
  await snapshot.destroy();
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
  await l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  // One for the snapshot, one for who has the image open.
  await lostFilter(l, hot, 2);
  // A driver gives up the number with the last reference to the disk.
  await rescan();
  await exists(l, hot);
  expect(await numbersOf(l, hot)).toEqual(numbers);
  await expect(image.read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  await user.close();
  await snapshot.destroy();
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

test('a write whose snapshot is lost is not done before all is read that it has asked for', { meta: { spec: ['COW-06', 'FLT-10'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab, { make: async (l, disk) => ({ device: await makeLinear(l, 'volume', disk, 64 * MIB) }) });
  const [late, failing] = [3, 4].map((chunk) => s.disk.hold({ kind: 'read', sector: chunk * CHUNK / SECTOR }));
  const writer = startAio(s.data, [{ offset: 4 * CHUNK - 8 * SECTOR, length: 16 * SECTOR }]);
  const [read, broken] = [await late?.next(), await failing?.next()];
  for (const hold of [late, failing]) hold?.close();
  broken?.fail('EIO');
  expect(await s.snapshot.waitEvent()).toMatchObject({ error_name: 'EIO' });
  // Another passes, and the volume is not free to go, for the writer still has it.
  expect(await aio(s.data, [{ offset: 8 * CHUNK, length: 4096 }])).toEqual([4096]);
  await expect(s.l.sh(removeLinear)).rejects.toThrow(/busy/i);
  expect(s.disk.requests({ kind: 'write', sector: 4 * CHUNK / SECTOR - 8 })).toEqual([]);
  read?.release();
  expect(await writer.done).toEqual([16 * SECTOR]);
  await s.l.sh(removeLinear);
  await s.snapshot.destroy();
});
