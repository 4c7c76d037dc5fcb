/** Bugs of other change trackers that left data out of increments: what their users saw, and whether it would be seen here.
 *  Method: a backup tool that trusts the maps; what it restores must be the image, byte for byte. */
import { Backup, dataDisk, expect, makeLoop, makePartitions, startLoad, test, type Device } from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

// VMware KB 2136854, Linux 870611e4877e (rbd), Ceph ba6aa697c783: what was in flight when the interval changed was in neither.
test('increments missed what was written while their snapshot was being taken', {
  meta: { spec: ['CBT-05', 'CBT-11', 'SNP-09'] },
}, async ({ lab }) => {
  const l = await lab({ params: { tracking_block_minimum_shift: 9 } });
  const device = l.disk('data');
  await l.attach(device);
  const backup = new Backup(device);
  const load = startLoad(l.guest, {
    filename: device.path, rw: 'randwrite', bs: 512, size: '16m', iodepth: 16, numjobs: 2, norandommap: 1, randrepeat: 0,
  });
  await load.started;
  for (let round = 0; round < 5; round++) {
    const snapshot = await l.takeSnapshot(device);
    await backup.run(snapshot);
    await expect(backup.sectors()).toHoldSectorsOf(await (await snapshot.image(device)).sectors());
    await snapshot.destroy();
  }
  await load.stop();
});

// VMware KB 2090639: a volume that grew went on with the map of its old size, and the tool was not told to begin anew.
test('increments of a volume that had grown lacked its new part', { meta: { spec: ['CBT-04', 'CBT-11'] } }, async ({ lab }) => {
  const l = await lab();
  const device = await makeLoop(l, 4 * MIB);
  await device.fill(1);
  await l.attach(device);
  const backup = new Backup(device);
  for (const size of [4 * MIB, 8 * MIB, 9 * MIB + 5 * SECTOR]) {
    await l.sh('truncate -s "$1" /tmp/backing; losetup -c "$2"', `${size}`, device.path);
    await device.fill(2, { offset: size - 64 * KIB });
    const snapshot = await l.takeSnapshot(device);
    await backup.run(snapshot);
    const image = await (await snapshot.image(device)).sectors();
    expect(image.sums).toHaveLength(size / SECTOR);
    await expect(backup.sectors()).toHoldSectorsOf(image);
    await snapshot.destroy();
  }
});

// blksnap issue 105, veeamsnap issue 33: with the filter on the whole disk, nothing that came through a partition was seen.
test('a disk was backed up and no change to its partitions was in any increment', {
  meta: { spec: ['FLT-12', 'CBT-11'] },
}, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  const [first, second] = await makePartitions(l, disk, [
    { start: 63 * SECTOR, length: 5 * MIB }, { start: 6 * MIB, length: 8 * MIB + SECTOR },
  ]) as [Device, Device];
  await l.attach(disk);
  const backup = new Backup(disk);
  for (const version of [1, 2, 3]) {
    await first.fill(version, { offset: version * MIB, length: 200 * KIB });
    await second.fill(version, { offset: 8 * MIB - 3 * SECTOR });
    const snapshot = await l.takeSnapshot(disk);
    await backup.run(snapshot);
    await expect(backup.sectors()).toHoldSectorsOf(await (await snapshot.image(disk)).sectors());
    await snapshot.destroy();
  }
});

// blksnap, fixed by a4e048f and 0514059: of the ranges of a call only the first was marked.
test('of the ranges that a tool marked at once only the first was in the increment', {
  meta: { spec: ['CBT-07'] },
}, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  await (await l.takeSnapshot(device)).destroy();
  const { changes, block_size: block } = await device.cbtInfo();
  const last = Math.ceil(dataDisk.sizeBytes / block) - 1;
  await device.cbtDirty([3 * block / SECTOR, 1], [77 * block / SECTOR + 5, 20], [last * block / SECTOR, 3]);
  await l.takeSnapshot(device);
  const map = await device.cbtMap();
  expect([...map.entries()].filter(([, number]) => number > changes).map(([at]) => at)).toEqual([3, 77, last]);
});
