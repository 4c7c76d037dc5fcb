/** Filters come and go while devices are mounted and written, and no I/O fails or is lost.
 *  Method: fio writes and verifies, or a file system is checked, while the filter is attached and detached. */
import {
  dataDisk, expect, fio, largeDisk, makeLinear, makeLoop, makePartitions, makeSteered, makeTestDisk, releaseTestDisk,
  secondDisk, stallWrites, startAio, startLoad, storeDisk, test, untilStill, type Device, type FioOptions, type Lab,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;

/** Attaches and detaches so many times in one run of the guest's shell. */
const togglesScript = 'for i in $(seq "$2"); do blksnapctl attach "$1"; blksnapctl detach "$1"; done > /dev/null';

async function toggle(l: Lab, device: Device, times: number): Promise<void> {
  for (let left = times; left > 0; left -= 25) await l.sh(togglesScript, device.path, `${Math.min(left, 25)}`);
}

test('two hundred times attached and detached under load, without one I/O error', { meta: { spec: ['FLT-01', 'FLT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const load = startLoad(l.guest, { filename: device.path, rw: 'randrw', bsrange: '512-64k', blockalign: 512, size: '16m', norandommap: 1, iodepth: 16 });
  await load.started;
  await toggle(l, device, 200);
  const { writes } = await load.stop();
  expect(writes).toBeGreaterThan(0);
  expect(await device.sysfsFilter()).toBe('\n');
});

test('what is written while filters come and go is there afterwards', { meta: { spec: ['FLT-01'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  let isWritten = false;
  const written = fio(l.guest, { filename: device.path, rw: 'randwrite', bs: '4k', size: '16m', verify: 'crc32c', do_verify: 1, rate_iops: 2000 }).finally(() => { isWritten = true; });
  do await toggle(l, device, 5); while (!isWritten);
  expect((await written).writes).toBe(4096);
});

test('a mounted ext4 under load takes and loses a filter, and is clean', { meta: { spec: ['FLT-01', 'FLT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.sh('mkfs.ext4 -q "$1"; mkdir -p /mnt/data; mount "$1" /mnt/data', device.path);
  const load = startLoad(l.guest, { directory: '/mnt/data', rw: 'randwrite', bs: '4k', size: '4m', fsync: 16, direct: 0, ioengine: 'psync', iodepth: 1 });
  await load.started;
  await toggle(l, device, 10);
  await load.stop();
  await l.sh('umount /mnt/data; e2fsck -fn "$1"', device.path);
});

test('a mounted XFS under load takes and loses a filter, and is clean', { meta: { spec: ['FLT-01', 'FLT-02'] } }, async ({ lab }) => {
  const l = await lab({ disks: [largeDisk, storeDisk] });
  const device = l.disk('large');
  await l.sh('mkfs.xfs -q -f "$1"; mkdir -p /mnt/data; mount "$1" /mnt/data', device.path);
  const load = startLoad(l.guest, { directory: '/mnt/data', rw: 'randwrite', bs: '4k', size: '4m', fsync: 16, direct: 0, ioengine: 'psync', iodepth: 1 });
  await load.started;
  await toggle(l, device, 10);
  await load.stop();
  await l.sh('umount /mnt/data; xfs_repair -n "$1"', device.path);
});

test('whole disk and partition have filters at once, each its own', { meta: { spec: ['FLT-01', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  const [one, two] = await makePartitions(l, disk, [{ start: MIB, length: 4 * MIB }, { start: 8 * MIB, length: 4 * MIB }]) as [Device, Device];
  await l.attach(disk, two);
  expect([await disk.sysfsFilter(), await one.sysfsFilter(), await two.sysfsFilter()]).toEqual(['blksnap\n', '\n', 'blksnap\n']);
  expect([(await disk.cbtInfo()).capacity, (await two.cbtInfo()).capacity]).toEqual([dataDisk.sizeBytes, 4 * MIB]);
  await disk.detach();
  expect([await disk.sysfsFilter(), await two.sysfsFilter()]).toEqual(['\n', 'blksnap\n']);
});

const stacked: readonly { readonly what: string; readonly make: (l: Lab) => Promise<Device> }[] = [
  { what: 'a loop device', make: (l) => makeLoop(l, 8 * MIB) },
  { what: 'a device-mapper linear device', make: (l) => makeLinear(l, 'line', l.disk('second'), 8 * MIB) },
];

for (const { what, make } of stacked) {
  test(`${what} takes and loses a filter under load`, { meta: { spec: ['FLT-01', 'FLT-13'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
    const device = await make(l);
    const load = startLoad(l.guest, { filename: device.path, rw: 'randwrite', bs: '4k', size: '8m' });
    await load.started;
    await toggle(l, device, 10);
    await load.stop();
    await l.attach(device);
    expect(await device.sysfsFilter()).toBe('blksnap\n');
  });
}

test('with a filter on it a device still serves buffered, direct and ring I/O', { meta: { spec: ['FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const verified = { filename: device.path, rw: 'randwrite', bs: '4k', size: '2m', verify: 'crc32c', do_verify: 1 } as const;
  const ways: readonly FioOptions[] = [
    { ioengine: 'psync', iodepth: 1, direct: 0 },
    { ioengine: 'io_uring' }, { ioengine: 'libaio', iodepth: 32, iodepth_batch: 16 },
  ];
  for (const options of ways) expect((await fio(l.guest, { ...verified, ...options })).writes).toBe(512);
});

test('a write that waited for the filter to be attached is seen by it: take waits for the write, and the image has it', { meta: { spec: ['FLT-01', 'FLT-02', 'SNP-09'] } }, async ({ lab }) => {
  const { l, data, disk } = await makeSteered(lab);
  await data.detach();
  const hold = disk.hold({ kind: 'write' });
  const before = startAio(data, [{ offset: MIB, length: 4096 }]);
  const first = await hold.next();
  // It waits for what is on its way, and lets nothing follow.
  const attach = data.attach();
  await untilStill(l, 'blksnapctl', attach);
  const late = startAio(data, [{ offset: 3 * MIB, length: 4096, byte: 0x77 }]);
  await untilStill(l, 'blkio', late.done);
  first.release();
  await attach;
  expect(await before.done).toEqual([4096]);
  await hold.next();

  const snapshot = await l.createSnapshot();
  await snapshot.add(data);
  let isTaken = false;
  const take = snapshot.take().finally(() => { isTaken = true; });
  await untilStill(l, 'blksnapctl', take);
  expect(isTaken, 'taken while a write is in flight').toBe(false);
  hold.release();
  await take;
  expect(await late.done).toEqual([4096]);
  expect(await (await snapshot.image(data)).read(3 * MIB, 4096)).toEqual(Buffer.alloc(4096, 0x77));
});

test('a write that waited for the filter to be attached to a disk whose driver takes bios is marked', { meta: { spec: ['FLT-01', 'FLT-13', 'CBT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = await makeTestDisk(l);
  await stallWrites(l, MIB / 512);
  // In the driver, where attaching waits for it.
  const before = startAio(disk, [{ offset: MIB, length: 4096 }]);
  await untilStill(l, 'blkio', before.done);
  const attach = disk.attach();
  await untilStill(l, 'blksnapctl', attach);
  const late = startAio(disk, [{ offset: 3 * MIB, length: 4096 }]);
  await untilStill(l, 'blkio', late.done);
  await releaseTestDisk(l);
  await attach;
  expect([await before.done, await late.done]).toEqual([[4096], [4096]]);

  await l.takeSnapshot(disk);
  const { block_size: blockSize } = await disk.cbtInfo();
  expect((await disk.cbtMap())[3 * MIB / blockSize]).toBeGreaterThan(0);
});

for (const [what, takes, make] of [
  ['a disk', 0, undefined],
  ['a device-mapper device', 0, async (l: Lab, disk: Device) => ({ device: await makeLinear(l, 'over', disk, 90 * MIB) })],
  ['a device-mapper device of which a snapshot was taken', 1, async (l: Lab, disk: Device) => ({ device: await makeLinear(l, 'over', disk, 90 * MIB) })],
] as const) {
  test(`a filter of ${what} that is detached while a write is in flight is not used when the write ends`, { meta: { spec: ['FLT-02', 'FLT-10'] } }, async ({ lab }) => {
    const { l, data, disk } = await makeSteered(lab, make ? { make } : {});
    for (let taken = 0; taken < takes; taken++) await (await l.takeSnapshot(data)).destroy();
    const hold = disk.hold({ kind: 'write' });
    const write = startAio(data, [{ offset: MIB, length: 4096 }]);
    await hold.next();
    hold.close();
    const detach = data.detach();
    await untilStill(l, 'blksnapctl', detach);
    hold.release();
    await detach;
    expect(await write.done).toEqual([4096]);
    // Memory that is written to after it was freed is told of by its allocator.
    await l.sh('for cache in /sys/kernel/slab/kmalloc-*; do echo 1 > "$cache/validate"; done');
  });
}
