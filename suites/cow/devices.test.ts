/** Copy-on-write holds on every kind of device.
 *  Method: make the device in the guest, fill it, take, rewrite it with fio, compare each sector of the image. */
import type { Device } from '../fixtures/index.js';
import { dataDisk, expect, fio, hotDisk, largeSectorDisk, makeDm, makeLoop, makeMd, secondDisk, storeDisk, test, type Lab } from '../fixtures/index.js';

interface Kind {
  readonly what: string;
  readonly make: (l: Lab) => Promise<Device>;
}

const partitioned = 'printf "label: dos\\n2049,16001\\n18051,14333\\n" | sfdisk -q "$1"';

const kinds: readonly Kind[] = [
  { what: 'a partition at an odd start', make: async (l) => {
    await l.sh(partitioned, l.disk('data').path);
    return l.device(`${l.disk('data').path}1`);
  } },
  { what: 'a whole disk that has partitions', make: async (l) => {
    await l.sh(partitioned, l.disk('data').path);
    return l.disk('data');
  } },
  { what: 'a SCSI disk', make: async (l) => l.disk('hot') },
  { what: 'a disk with sectors of 4 KiB', make: async (l) => l.disk('four') },
  { what: 'a loop device', make: (l) => makeLoop(l, 12 * 1024 * 1024) },
  { what: 'a device-mapper linear device over two disks', make: (l) => makeDm(l, 'pair', `0 10001 linear ${l.disk('data').path} 7`, `10001 20000 linear ${l.disk('second').path} 0`) },
  { what: 'an md raid1', make: async (l) => {
    await l.sh('insmod /lib/modules/$(uname -r)/raid1.ko 2>/dev/null || true');
    return makeMd(l, 'create', ['--level=1', '--assume-clean'], l.disk('data'), l.disk('second'));
  } },
  { what: 'a brd ram disk, driven by bios', make: async (l) => {
    await l.sh('insmod /lib/modules/$(uname -r)/brd.ko rd_nr=1 rd_size=12291');
    l.defer(() => l.sh('rmmod brd'));
    return l.device('/dev/ram0');
  } },
];

for (const { what, make } of kinds) {
  test(`the image of ${what} stays while the device is rewritten`, { meta: { spec: ['COW-01', 'FLT-01', 'FLT-13'] } }, async ({ lab, random }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk, hotDisk, largeSectorDisk] });
    const device = await make(l);
    const fillBytes = Math.floor((await device.size()) / 4096) * 4096;
    // The table of a whole disk stays as it is.
    const offset = what.includes('whole') ? 2048 * 512 : 0;
    await device.fill(1, { offset, length: fillBytes - offset });
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device);
    const image = await snapshot.image(device);
    const frozen = await device.sectors();

    await fio(l.guest, {
      filename: device.path, offset, rw: 'randwrite', bs: '4k-64k', blockalign: '4k', io_size: '8M', iodepth: 8, randseed: random.below(1e9),
    });
    expect((await device.sectors()).sums).not.toEqual(frozen.sums);

    await expect(await image.sectors()).toHoldSectorsOf(frozen);
    await device.fill(2, { offset, length: fillBytes - offset });
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
  });
}

test('polled writes complete, also those whose chunks are copied first, and the image stays', { meta: { spec: ['COW-01', 'FLT-13'] } }, async ({ lab, random }) => {
  const l = await lab();
  await l.sh('insmod /lib/modules/$(uname -r)/null_blk.ko nr_devices=1 poll_queues=1 submit_queues=1 gb=1 memory_backed=1');
  l.defer(() => l.sh('rmmod null_blk'));
  const disk = l.device('/dev/nullb0');
  const length = 4 * 1024 * 1024;
  await disk.fill(1, { length });
  await l.attach(disk);
  const image = await (await l.takeSnapshot(disk)).image(disk);
  const frozen = await disk.sectorsAt(0, length);

  const { writes } = await fio(l.guest, {
    filename: disk.path, rw: 'randwrite', bs: '4k', size: length, ioengine: 'io_uring', hipri: true, iodepth: 4, verify: 'crc32c', do_verify: 1,
    randseed: random.below(1e9),
  });

  expect(writes).toBe(length / 4096);
  await expect(await image.sectorsAt(0, length)).toHoldSectorsOf(frozen);
  expect(await disk.snapshotInfo()).toMatchObject({ error: 0 });
});

test('a write through the whole disk does not change the image of a partition', { meta: { spec: ['FLT-12', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  await l.sh(partitioned, disk.path);
  const partition = l.device(`${disk.path}1`);
  await partition.fill(1);
  await l.attach(partition);
  const snapshot = await l.takeSnapshot(partition);
  const frozen = await partition.sectors();
  // From before its start to within it, all of its middle, and from within it to behind its end.
  await disk.write((2049 - 3) * 512, new Uint8Array(8 * 512).fill(1));
  await disk.write((2049 + 8000) * 512, new Uint8Array(100 * 512).fill(2));
  await disk.write((2049 + 16001 - 3) * 512, new Uint8Array(8 * 512).fill(3));
  await expect(await (await snapshot.image(partition)).sectors()).toHoldSectorsOf(frozen);
});

test('a write through a partition does not change the image of the whole disk', { meta: { spec: ['FLT-12', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  await l.sh(partitioned, disk.path);
  const partition = l.device(`${disk.path}1`);
  await partition.fill(1);
  await l.attach(disk);
  const snapshot = await l.takeSnapshot(disk);
  const frozen = await disk.hostSectors();
  await partition.fill(2);
  await expect(await (await snapshot.image(disk)).sectors()).toHoldSectorsOf(frozen);
});

test('a partition and its whole disk are filtered side by side', { meta: { spec: ['FLT-07', 'FLT-12', 'FLT-14'] } }, async ({ lab, random }) => {
  const l = await lab();
  const disk = l.disk('data');
  await l.sh(partitioned, disk.path);
  const partition = l.device(`${disk.path}2`);
  await partition.fill(1);
  await l.attach(disk, partition);
  const snapshot = await l.takeSnapshot([disk, partition]);
  const frozenDisk = await disk.hostSectors();
  const frozenPartition = await partition.sectors();
  await fio(l.guest, { filename: partition.path, rw: 'randwrite', bs: '512-32k', io_size: '4M', randseed: random.below(1e9) });
  await fio(l.guest, { filename: disk.path, offset: '1M', rw: 'randwrite', bs: '512-32k', io_size: '4M', randseed: random.below(1e9) });
  await expect(await (await snapshot.image(disk)).sectors()).toHoldSectorsOf(frozenDisk);
  await expect(await (await snapshot.image(partition)).sectors()).toHoldSectorsOf(frozenPartition);
});

test('a device and what it is made of are filtered and cut together', { meta: { spec: ['FLT-07', 'SNP-02', 'SNP-09'] } }, async ({ lab, random }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const lower = l.disk('data');
  const upper = await makeDm(l, 'upper', `0 32000 linear ${lower.path} 8`);
  await upper.fill(1);
  await l.attach(upper, lower);
  const snapshot = await l.takeSnapshot([upper, lower]);
  const frozenLower = await lower.hostSectors();
  const frozenUpper = await upper.sectors();
  await fio(l.guest, { filename: upper.path, rw: 'randwrite', bs: '4k-64k', io_size: '8M', randseed: random.below(1e9) });
  await expect(await (await snapshot.image(upper)).sectors()).toHoldSectorsOf(frozenUpper);
  await expect(await (await snapshot.image(lower)).sectors()).toHoldSectorsOf(frozenLower);
});
