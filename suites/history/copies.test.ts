/** Bugs of other snapshot drivers that put wrong data into backups: what their users saw, and whether it would be seen here.
 *  Method: the layout and the order of events of each report, then the image, sector by sector, against the device at the cut. */
import {
  CHUNK, dataDisk, driverLog, expect, expectFrozen, fio, freezeSteered, makeDm, makeLinear, makeMd, makePartitions, makeTestDisk, mountExt4,
  secondDisk, startAio, storeDisk, test, thirdDisk, writeElsewhere, type Device, type Lab,
} from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

// dm-snapshot, fixed by Linux a8d41b59f3f5: what nobody had copied was read from the origin, and writes did not wait for that.
test('a backup of a logical volume held data newer than its snapshot', {
  meta: { spec: ['COW-01', 'IMG-02'] },
}, async ({ lab }) => {
  const s = await freezeSteered(lab, {
    make: async (l, disk) => ({ device: await makeLinear(l, 'volume', disk, 96 * MIB + 3 * SECTOR) }),
  });
  await writeElsewhere(s);
  const hold = s.disk.hold({ kind: 'read', sectors: CHUNK / SECTOR, sector: 5 * CHUNK / SECTOR });
  const backup = expectFrozen(s, 2, 8);
  const late = await hold.next();
  hold.close();
  const change = startAio(s.data, [{ offset: 2 * CHUNK, length: 8 * CHUNK }]);
  await writeElsewhere(s, change);
  late.release();
  await backup;
  expect(await change.done).toEqual([8 * CHUNK]);
});

/** What bios are split for: a disk of stripes smaller than the write. */
const striped: Readonly<Record<string, (l: Lab) => Promise<Device>>> = {
  'a striped logical volume': (l) => makeDm(l, 'stripes', `0 65536 striped 2 128 ${l.disk('second').path} 0 ${l.disk('third').path} 0`),
  'a RAID 0': (l) => makeMd(l, 'create', ['--level=0', '--chunk=64'], l.disk('second'), l.disk('third')),
};

// dattobd, fixed by 49826d1 and 04332d6: the bio was walked after the driver below had advanced it.
for (const [what, make] of Object.entries(striped)) {
  test(`only the first stripe of a large write to ${what} was preserved`, {
    meta: { spec: ['COW-01', 'COW-03', 'FLT-13'] },
  }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, thirdDisk, storeDisk] });
    const device = await make(l);
    await device.fill(1);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device);
    const frozen = await device.sectors();
    await fio(l.guest, { filename: device.path, rw: 'write', bs: '1m', offset: 32 * KIB, size: '24m', iodepth: 4 });
    expect((await device.sectors()).sums).not.toEqual(frozen.sums);
    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(frozen);
  });
}

// dattobd, fixed by 8dd510f: the start of the partition was added to bios that had it already.
test('the image of a partition held what was elsewhere on its disk', {
  meta: { spec: ['COW-01', 'FLT-12'] },
}, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  await disk.fill(1, { device: 9 });
  const [, partition] = await makePartitions(l, disk, [
    { start: 63 * SECTOR, length: 5 * MIB }, { start: 6 * MIB + SECTOR, length: 8 * MIB + 7 * SECTOR },
  ]) as [Device, Device];
  await partition.fill(1);
  await l.attach(partition);
  const snapshot = await l.takeSnapshot(partition);
  const frozen = await partition.sectors();
  // Through the node of the partition, and through a volume upon it, whose bios come remapped.
  await partition.fill(2, { offset: 0, length: 64 * KIB });
  const volume = await makeLinear(l, 'upon', partition, 7 * MIB);
  await volume.fill(3, { offset: 2 * MIB, length: 3 * MIB });
  await partition.fill(2, { offset: 8 * MIB });
  await expect(await (await snapshot.image(partition)).sectors()).toHoldSectorsOf(frozen);
});

// blksnap, fixed by e3b3e73 (Veeam KB4428): under Xen a read with FUA became a write of what the buffer held.
test('reading the old data with FUA set made the disk below write', {
  meta: { spec: ['COW-03', 'COW-09', 'FLT-13'] },
}, async ({ lab }) => {
  const l = await lab();
  const device = await makeTestDisk(l);
  await device.fill(1, { length: 8 * MIB });
  await l.attach(device);
  const snapshot = await l.takeSnapshot(device);
  const before = (await driverLog(l)).length;
  for (let chunk = 0; chunk < 8; chunk++) {
    await device.write(chunk * 512 * KIB, new Uint8Array(4 * KIB).fill(2), { sync: true });
  }
  await device.flush();
  await (await snapshot.image(device)).read(0, 8 * MIB);
  const log = (await driverLog(l)).slice(before);
  const forced = log.filter((line) => line.startsWith('write') && line.includes('fua'));
  expect(forced.length, 'writes with FUA').toBeGreaterThanOrEqual(8);
  const reads = log.filter((line) => line.startsWith('read'));
  expect(reads.length).toBeGreaterThan(0);
  expect(reads.filter((line) => /fua|flush/.test(line))).toEqual([]);
});

// Axcient elastio-snap, pull requests 102 and 105: a discard was let through, as it carries no data.
test('files that were deleted after the snapshot were zeroes in its image once fstrim had run', {
  meta: { spec: ['COW-05', 'COW-08'] },
}, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await mountExt4(l, data, '/mnt/data');
  const files = await l.sh(`cd /mnt/data; for n in 1 2 3 4 5 6; do head -c 1100000 /dev/urandom > f$n; done; sync; md5sum f*`);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  await l.sh('rm /mnt/data/f[1-5]; sync; fstrim /mnt/data');
  await l.sh('mkdir -p /mnt/image; mount "$1" /mnt/image', (await snapshot.image(data)).path);
  l.defer(() => l.sh('mountpoint -q /mnt/image && umount /mnt/image || true'));
  expect(await l.sh('cd /mnt/image; md5sum f*')).toBe(files);
  await l.sh('umount /mnt/image');
});

const places: Readonly<Record<string, (l: Lab, other: Device | undefined) => Promise<string>>> = {
  'another partition of the same disk': async (_, other) => other?.path ?? '',
  'a file on another partition of the same disk': async (l, other) => {
    await mountExt4(l, other as Device, '/mnt/other');
    return '/mnt/other';
  },
  'another disk': async (l) => l.disk('store').path,
  'a file on another disk': async (l) => {
    await mountExt4(l, l.disk('store'), '/mnt/store');
    return '/mnt/store';
  },
  'a file in memory': async () => '/tmp',
};

// dattobd, fixed by e7b2708 (pull request 190): copies were made only if the storage was on the device of the bio.
for (const [what, storage] of Object.entries(places)) {
  test(`a volume was not preserved at all when its copies were to go to ${what}`, {
    meta: { spec: ['DIF-01', 'DIF-04', 'COW-01'] },
  }, async ({ lab }) => {
    const l = await lab();
    const [volume, other] = await makePartitions(l, l.disk('data'), [
      { start: 1 * MIB, length: 5 * MIB }, { start: 6 * MIB, length: 10 * MIB },
    ]) as [Device, Device];
    await volume.fill(1);
    await l.attach(volume);
    const snapshot = await l.takeSnapshot(volume, { storage: await storage(l, other), limit: '6M' });
    await volume.fill(2);
    const image = await (await snapshot.image(volume)).sectors();
    await volume.fill(1);
    await expect(image).toHoldSectorsOf(await volume.sectors());
  });
}
