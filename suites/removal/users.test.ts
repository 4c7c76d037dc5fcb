/** Images and storage that go while somebody uses them: errors for the user, never a hang, and nothing is left.
 *  Method: hold open, mount or read; pull out the device, the storage, or destroy; look at what the user gets. */
import { dataDisk, expect, filledSectors, hotDisk, imagesOf, moduleReferences, secondDisk, startLoad, storeDisk, test, type Device, type Lab } from '../fixtures/index.js';
import { lostFilter } from './ways.js';

const MIB = 1024 * 1024;
const CAPACITY = 16 * MIB + 3 * 512;
const disks = [dataDisk, secondDisk, storeDisk, hotDisk];

/** Somebody has it open, until the returned function is called. */
async function holdOpen(l: Lab, device: Device, flags: readonly string[] = []): Promise<() => Promise<unknown>> {
  const holder = l.guest.start(['blkio', 'hold', device.path, ...flags]);
  await new Promise<void>((resolve, reject) => {
    holder.onStdout(() => resolve());
    holder.result.then((result) => reject(new Error(`hold ended: ${result.stderr.toString()}`)), reject);
  });
  return () => {
    holder.end();
    return holder.result;
  };
}

test('a device that goes while its image is open leaves an image that fails', { meta: { spec: ['SNP-05', 'IMG-04', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const hot = l.disk('hot');
  await l.attach(hot);
  const snapshot = await l.takeSnapshot(hot);
  const image = await snapshot.image(hot);
  const release = await holdOpen(l, image, ['--write']);
  const references = await moduleReferences(l);

  await l.guest.unplug('hot');
  await lostFilter(l, hot, references);

  await expect(image.read(0, 4096)).rejects.toMatchObject({ name: 'ToolError' });
  await expect(image.write(0, new Uint8Array(4096))).rejects.toMatchObject({ name: 'ToolError' });
  await snapshot.destroy();
  await release();
  expect(await moduleReferences(l)).toBe(0);
});

test('a device that goes while its image is mounted gives the reader errors, and all can be unmounted', { meta: { spec: ['SNP-05', 'IMG-04', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const hot = l.disk('hot');
  await l.sh('mkfs.ext4 -q -F "$1"; mkdir -p /mnt/a /mnt/image; mount "$1" /mnt/a; seq 100000 > /mnt/a/file; umount /mnt/a', hot.path);
  await l.attach(hot);
  const snapshot = await l.takeSnapshot(hot);
  const image = await snapshot.image(hot);
  await l.sh('mount "$1" /mnt/image', image.path);
  const references = await moduleReferences(l);

  await l.sh('echo 1 > /sys/block/$1/device/delete', hot.name);
  await lostFilter(l, hot, references);

  await l.sh('echo 3 > /proc/sys/vm/drop_caches');
  expect((await l.guest.attempt(['cat', '/mnt/image/file'])).exitCode).not.toBe(0);
  await l.sh('umount /mnt/image');
  await snapshot.destroy();
  expect(await imagesOf(l)).toEqual([]);
});

test('destroy while the image is read and the device is written', { meta: { spec: ['IMG-04', 'SNP-09', 'COW-09'] } }, async ({ lab, random }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  for (let round = 0; round < 3; round++) {
    const snapshot = await l.takeSnapshot(data);
    const image = await snapshot.image(data);
    const reading = startLoad(l.guest, { filename: image.path, rw: 'randread', bs: '4k-64k', randseed: random.below(1e9) });
    const writing = startLoad(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k-64k', randseed: random.below(1e9) });
    await Promise.all([reading.started, writing.started]);

    await snapshot.destroy();

    await reading.abandon();
    await writing.stop();
    expect(await imagesOf(l)).toEqual([]);
  }
});

const storages = [
  { what: 'the disk that is the storage is pulled out', make: async (l: Lab) => ({ storage: l.disk('hot').path, goes: () => l.guest.unplug('hot') }) },
  { what: 'the disk below the storage\'s file system is pulled out', make: async (l: Lab) => {
    await l.guest.run(['mkfs.ext4', '-q', '-F', l.disk('hot').path]);
    await l.sh('mkdir -p /mnt/hot; mount "$1" /mnt/hot', l.disk('hot').path);
    l.defer(() => l.sh('umount /mnt/hot'));
    return { storage: '/mnt/hot/diff', goes: () => l.guest.unplug('hot') };
  } },
];

for (const { what, make } of storages) {
  test(`the snapshot is lost, and the original is not, when ${what}`, { meta: { spec: ['COW-06', 'DIF-05', 'SNP-05'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const data = l.disk('data');
    const { storage, goes } = await make(l);
    await data.fill(1);
    await l.attach(data);
    const references = await moduleReferences(l);
    const snapshot = await l.takeSnapshot(data, { storage, limit: '8M' });
    await data.fill(2, { length: 2 * MIB });
    const image = await snapshot.image(data);
    await image.read(0, 4096);

    await goes();
    await data.fill(2);

    expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted' });
    await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
    await expect(image.read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2));
    await snapshot.destroy();
    expect(await moduleReferences(l)).toBe(references);
  });
}

test('a device that goes before the take is not taken, and the other device is untouched', { meta: { spec: ['SNP-08', 'SNP-05', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const [data, hot] = [l.disk('data'), l.disk('hot')];
  await l.attach(data, hot);
  const snapshot = await l.createSnapshot();
  await snapshot.add(data, hot);
  const references = await moduleReferences(l);
  await l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  await lostFilter(l, hot, references);

  await expect(snapshot.take()).rejects.toMatchObject({ errno: 'ENODEV' });

  expect(await imagesOf(l)).toEqual([]);
  await data.write(0, new Uint8Array(4096).fill(1));
  await snapshot.destroy();
  const good = await l.takeSnapshot(data);
  await good.image(data);
});
