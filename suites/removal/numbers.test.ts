/** A device number that is used again inherits nothing; a rescan that changes nothing takes nothing away.
 *  Method: mark, remove or rescan, and look at what the device at that number knows. */
import { expect, makeLoop, makePartitions, moduleReferences, numbersOf, test, untilModuleReferences, type Device } from '../fixtures/index.js';
import { disks, exists, lostFilter, scsiRescan } from './ways.js';

const MIB = 1024 * 1024;
const extents = [{ start: MIB, length: 4 * MIB }, { start: 8 * MIB, length: 4 * MIB }];

async function marksOf(device: Device): Promise<number> {
  return (await device.cbtMap()).filter((mark) => mark !== 0).length;
}

test('a disk that comes at the number of another one inherits neither filter, map nor generation', { meta: { spec: ['CBT-12', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const hot = l.disk('hot');
  const numbers = await numbersOf(l, hot);
  const rescan = await scsiRescan(l, hot);
  await l.attach(hot);
  const snapshot = await l.takeSnapshot(hot);
  const { generation } = await hot.cbtInfo();
  await hot.write(0, new Uint8Array(4096).fill(1));
  const references = await moduleReferences(l);
  await l.sh('echo 1 > /sys/block/$1/device/delete', hot.name);
  await lostFilter(l, hot, references);

  await rescan();
  await exists(l, hot);
  expect(await numbersOf(l, hot)).toEqual(numbers);

  expect(await hot.sysfsFilter()).toBe('\n');
  await l.attach(hot);
  expect((await hot.cbtInfo()).generation).not.toBe(generation);
  const image = await hot.snapshotInfo().then((info) => info.image, (error: Error) => error.name);
  expect([null, 'ToolError'], 'it is in no snapshot').toContain(image);
  // Its number is in the old snapshot, itself it is not.
  const another = await l.takeSnapshot(hot, { storage: '/tmp/diff', limit: '32M' });
  expect(await marksOf(hot)).toBe(0);
  await snapshot.destroy();
  expect(await hot.snapshotInfo()).toMatchObject({ error: 0 });
  await (await another.image(hot)).read(0, 4096);
});

const rescans = [
  { what: 'the partition table is read again', how: 'blockdev --rereadpt "$1"' },
  { what: 'the disk is closed after a write', how: ': 1<> "$1"; blkio hold "$1" --write < /dev/null > /dev/null' },
  { what: 'a uevent is asked for', how: 'echo change > "/sys/class/block/$(basename "$1")/uevent"' },
];

for (const { what, how } of rescans) {
  test(`filters, maps and generations stay when ${what}`, { meta: { spec: ['CBT-12', 'FLT-10'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const disk = l.disk('data');
    const [first, second] = await makePartitions(l, disk, extents) as [Device, Device];
    const devices = [disk, first, second];
    await l.attach(...devices);
    await first.write(0, new Uint8Array(4096).fill(1));
    await second.write(MIB, new Uint8Array(4096).fill(1));
    const before = await Promise.all(devices.map((device) => device.cbtInfo()));

    await l.sh(how, disk.path);

    for (const device of devices) expect(await device.sysfsFilter()).toBe('blksnap\n');
    expect(await Promise.all(devices.map((device) => device.cbtInfo()))).toEqual(before);
    const snapshot = await l.takeSnapshot(devices);
    expect(await Promise.all(devices.map(marksOf))).toEqual([2, 1, 1]);
    // Also during the hold.
    await l.sh(how, disk.path);
    await first.fill(2);
    expect(await first.snapshotInfo()).toMatchObject({ error: 0 });
    await snapshot.destroy();
  });
}

test('a partition that its table wants larger than the disk is keeps its filter through a rescan', { meta: { spec: ['FLT-10', 'CBT-12'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const disk = l.disk('data');
  const table = Buffer.alloc(512);
  // No tool writes such a table: one entry of a DOS label, of type 0x83, from 1 MiB on, of 128 GiB.
  table[450] = 0x83;
  table.writeUInt32LE(MIB / 512, 454);
  table.writeUInt32LE(0x10000000, 458);
  table.writeUInt16LE(0xaa55, 510);
  await disk.write(0, table);
  await l.sh('blockdev --rereadpt "$1"', disk.path);
  const part = l.device(`${disk.path}1`);
  await l.attach(part);
  const before = await part.cbtInfo();
  expect(before.capacity).toBe(await disk.size() - MIB);

  await l.sh('blockdev --rereadpt "$1"', disk.path);

  expect(await part.sysfsFilter()).toBe('blksnap\n');
  expect(await part.cbtInfo()).toEqual(before);
});

test('partitions that stay through a rescan get the names of the new table, and their users are told to look again', { meta: { spec: ['FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const disk = l.disk('data');
  const table = 'label: gpt\nstart=2048, size=8192, name=first\nstart=16384, size=8192, name=second\n';
  await l.sh('echo "$2" | sfdisk -q --no-reread --no-tell-kernel "$1"', disk.path, table);
  // One that was made by hand has no name yet.
  await l.sh('blkio addpart "$1" 1 "$2" "$3"; blkio addpart "$1" 2 "$4" "$3"', disk.path, `${MIB}`, `${4 * MIB}`, `${8 * MIB}`);
  const parts = [l.device(`${disk.path}1`), l.device(`${disk.path}2`)];
  await l.attach(...parts);
  const names = () => Promise.all(parts.map(({ name }) => l.sh('sed -n "s/^PARTNAME=//p" "/sys/class/block/$1/uevent"', name)));
  const uevents = async () => Number(await l.sh(
    'cat /sys/kernel/uevent_seqnum > /tmp/before; blockdev --rereadpt "$1"; echo $(($(cat /sys/kernel/uevent_seqnum) - $(cat /tmp/before)))', disk.path));
  expect(await names()).toEqual(['', '']);

  expect(await uevents(), 'one for the disk, and one for each partition').toBe(3);
  expect(await names()).toEqual(['first', 'second']);

  await l.sh('sfdisk -q --no-reread --no-tell-kernel --part-label "$1" 1 renamed', disk.path);
  await uevents();
  expect(await names()).toEqual(['renamed', 'second']);
  for (const part of parts) expect(await part.sysfsFilter()).toBe('blksnap\n');
});

test('a loop device with a new file has none of the old one', { meta: { spec: ['CBT-12', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const loop = await makeLoop(l, 4 * MIB);
  await l.attach(loop);
  const { generation } = await loop.cbtInfo();
  await loop.write(0, new Uint8Array(4096).fill(1));

  await l.sh('truncate -s 6M /tmp/other; losetup -d "$1"; losetup "$1" /tmp/other', loop.path);

  expect(await loop.sysfsFilter()).toBe('\n');
  await loop.attach();
  expect(await loop.cbtInfo()).toMatchObject({ capacity: 6 * MIB });
  expect((await loop.cbtInfo()).generation).not.toBe(generation);
  expect(await marksOf(loop)).toBe(0);
  await loop.detach();
});

test('attaching while the device goes ends with success or ENODEV, thirty times', { meta: { spec: ['FLT-10', 'FLT-03'] } }, async ({ lab }) => {
  const l = await lab({ disks });
  const disk = l.disk('data');
  const [part] = await makePartitions(l, disk, extents) as [Device];
  for (let round = 0; round < 30; round++) {
    // The removal starts a little later each time.
    const delay = 'i=0; while [ $i -lt "$2" ]; do i=$((i+1)); done';
    const [answer] = await Promise.all([
      part.attach().then(() => 'attached', (error: { errno?: string }) => error.errno),
      l.sh(`${delay}; until blkio delpart "$1" 1 2>/dev/null; do :; done`, disk.path, `${round * 300}`),
    ]);
    expect(['attached', 'ENODEV', 'ENXIO', 'ENOENT']).toContain(answer);
    await untilModuleReferences(l, 0);
    await l.sh('blkio addpart "$1" 1 "$2" "$3"', disk.path, `${extents[0]?.start}`, `${extents[0]?.length}`);
    expect(await part.sysfsFilter()).toBe('\n');
  }
});
