/** Every kind of bio reaches the driver as it was submitted, whatever the filter above does with it.
 *  Method: the same calls are made without a filter and with one; the logs of a disk's driver must be the same, line by line. */
import {
  attachProbe, driverLog, expect, fio, loadProbe, makeTestDisk,
  numbersOf, test, type BioFlag, type BioKind, type Device, type Lab, type ProbeMode,
} from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const all: readonly BioKind[] = ['read', 'write', 'flush', 'discard', 'secureErase', 'writeZeroes'];
const modes: readonly ProbeMode[] = ['pass', 'work', 'read'];

/** One call of each kind. The places tell them apart. */
async function callEach(disk: Device): Promise<void> {
  const { guest, path } = disk;
  await disk.write(0, new Uint8Array(4 * KIB).fill(1));
  await disk.write(MIB, new Uint8Array(4 * KIB).fill(1), { sync: true });
  await disk.write(2 * MIB, new Uint8Array(64 * KIB).fill(1), { direct: false });
  await disk.flush();
  await disk.discard(3 * MIB, 64 * KIB);
  await disk.zeroout(4 * MIB, 64 * KIB);
  await guest.run(['blkio', 'secdiscard', path, `${5 * MIB}`, `${64 * KIB}`]);
  // More than the disk takes at once: it is split, or a chain.
  await disk.write(6 * MIB + 512, new Uint8Array(512 * KIB).fill(1));
  await disk.discard(7 * MIB + 512, 512 * KIB);
  await disk.read(6 * MIB, 512 * KIB);
}

async function newLines(l: Lab, work: () => Promise<void>): Promise<string[]> {
  const before = (await driverLog(l)).length;
  await work();
  return (await driverLog(l)).slice(before);
}

for (const mode of modes) {
  test(`the driver gets the same bios with and without a filter in mode "${mode}", flags included`, { meta: { spec: ['FLT-13', 'FLT-08'] } }, async ({ lab }) => {
    const l = await lab();
    await loadProbe(l);
    const disk = await makeTestDisk(l);
    const expected = await newLines(l, () => callEach(disk));
    const probe = await attachProbe(l, disk);
    await probe.set(mode, { kinds: all, hook: true });
    const seen = await newLines(l, () => callEach(disk));
    // In mode "read" the filter's own reads come on top: of a page at most, without flags of the user's.
    const isUsers = (line: string): boolean => mode !== 'read' || expected.includes(line) || !/^read \d+ (4096|512)( |$)/.test(line);
    expect(seen.filter(isUsers)).toEqual(expected);
    expect(expected.join('\n')).toMatch(/^write \d+ 4096 .*fua/m);
    expect(expected.join('\n')).toMatch(/^write 0 0 .*preflush/m);
    for (const kind of ['discard', 'secureErase', 'writeZeroes']) expect(expected.join('\n')).toContain(`${kind} `);
    const counts = await probe.counts();
    expect(counts).toMatchObject({ failed: 0, kept: 0 });
    expect(counts.done).toBe(counts.hooked);
  });
}

test('the filter is told each kind as it was submitted, once, before it is split', { meta: { spec: ['FLT-13', 'FLT-08'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = await makeTestDisk(l);
  const probe = await attachProbe(l, disk);
  await callEach(disk);
  const log = await probe.log();
  const at = (kind: BioKind, offset: number): [number, readonly BioFlag[]][] =>
    log.filter((bio) => bio.kind === kind && bio.offset === offset).map(({ length, flags }) => [length, flags]);
  expect(at('write', 0)).toEqual([[4 * KIB, expect.not.arrayContaining(['fua', 'preflush'])]]);
  expect(at('write', MIB)).toEqual([[4 * KIB, expect.arrayContaining(['fua'])]]);
  const flushes = log.filter(({ kind }) => kind === 'flush');
  expect(flushes).toHaveLength((await driverLog(l)).filter((line) => line.startsWith('write 0 0 ')).length);
  for (const flush of flushes) expect(flush).toMatchObject({ length: 0, flags: expect.arrayContaining(['preflush']) as unknown });
  expect(flushes.length).toBeGreaterThan(0);
  expect(at('discard', 3 * MIB).map(([length]) => length)).toEqual([64 * KIB]);
  expect(at('writeZeroes', 4 * MIB).map(([length]) => length)).toEqual([64 * KIB]);
  expect(at('secureErase', 5 * MIB).map(([length]) => length)).toEqual([64 * KIB]);
  const large = log.filter(({ kind, offset }) => kind === 'write' && offset >= 6 * MIB);
  expect(large.reduce((sum, { length }) => sum + length, 0)).toBe(512 * KIB);
  expect(Math.max(...large.map(({ length }) => length))).toBeGreaterThan(64 * KIB);
});

/** Of I/O. Returns its folder. */
async function makeCgroup(l: Lab): Promise<string> {
  await l.sh('mkdir -p /tmp/cg; mount -t cgroup2 none /tmp/cg; echo +io > /tmp/cg/cgroup.subtree_control; mkdir /tmp/cg/user');
  l.defer(() => l.sh('rmdir /tmp/cg/user; umount /tmp/cg'));
  return '/tmp/cg/user';
}

/** The line of the device in io.stat. */
async function chargesOf(l: Lab, cgroup: string, device: Device): Promise<string | undefined> {
  const { major, minor } = await numbersOf(l, device);
  return (await l.sh('cat "$1/io.stat"', cgroup)).split('\n').find((text) => text.startsWith(`${major}:${minor} `));
}

for (const mode of modes) {
  test(`each write is charged once to its cgroup through a filter in mode "${mode}"`, { meta: { spec: ['FLT-13'] } }, async ({ lab }) => {
    const l = await lab();
    await loadProbe(l);
    const data = l.disk('data');
    const cgroup = await makeCgroup(l);
    const probe = await attachProbe(l, data);
    await probe.set(mode);
    await l.sh('echo $$ > "$2/cgroup.procs"; for at in 0 65536 131072; do head -c 65536 /dev/zero | blkio write "$1" $at --direct; done', data.path, cgroup);
    const line = await chargesOf(l, cgroup, data);
    expect(line).toContain(`wbytes=${192 * KIB} `);
    expect(line).toContain('wios=3 ');
  });
}

test('a copy is not charged to the cgroup of the writer that it is made for', { meta: { spec: ['FLT-13', 'COW-07'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  const cgroup = await makeCgroup(l);
  await l.sh('echo $$ > "$2/cgroup.procs"; head -c 65536 /dev/zero | blkio write "$1" 0 --direct', data.path, cgroup);
  const line = await chargesOf(l, cgroup, data);
  // Whoever limits the cgroup would make every other writer of the chunk wait.
  expect(line).toContain('rbytes=0 ');
  expect(line).toContain(`wbytes=${64 * KIB} `);
  await snapshot.destroy();
});

test('what is read for an image is not charged to the cgroup of its reader, as writers wait for it', { meta: { spec: ['FLT-09', 'IMG-02'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  const image = await snapshot.image(data);
  const cgroup = await makeCgroup(l);
  await l.sh('echo $$ > "$2/cgroup.procs"; blkio read "$1" 0 65536 --direct > /dev/null', image.path, cgroup);
  expect(await chargesOf(l, cgroup, image)).toContain(`rbytes=${64 * KIB} `);
  expect(await chargesOf(l, cgroup, data) ?? '').not.toMatch(/rbytes=[1-9]/);
  await snapshot.destroy();
});

/** A SCSI disk that checks the guard of each sector it gets, and gives each a guard to be checked. */
async function makeProtected(l: Lab): Promise<Device> {
  await l.sh('insmod /lib/modules/$(uname -r)/scsi_debug.ko dix=1 dif=1 dev_size_mb=16 lbpu=1');
  l.defer(() => l.sh('rmmod scsi_debug'));
  const name = await l.sh('until n=$(ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/* 2>/dev/null); do :; done; basename $n');
  expect(await l.sh('cat "/sys/block/$1/integrity/format"', name)).toMatch(/T10-DIF-TYPE1/);
  return l.device(`/dev/${name}`);
}

test('bios of a disk with protection information are served, and what the disk checks is right', { meta: { spec: ['FLT-13'] } }, async ({ lab, random }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = await makeProtected(l);
  const probe = await attachProbe(l, disk);
  for (const mode of modes) {
    await probe.set(mode, { kinds: ['read', 'write'] });
    const { writes } = await fio(l.guest, { filename: disk.path, rw: 'randwrite', bs: '4k', size: '1m', verify: 'crc32c', do_verify: 1, randseed: random.below(1e9) });
    expect(writes).toBe(256);
  }
});

/** A module may refuse what it does not support, with a clear error; tells whether it does. */
async function isRefused(l: Lab, disk: Device): Promise<boolean> {
  const error = await l.attach(disk).then(() => undefined, (reason: { errno?: string }) => reason);
  if (error === undefined) return false;
  expect(['EOPNOTSUPP', 'EINVAL']).toContain(error.errno);
  expect(await disk.sysfsFilter()).toBe('\n');
  return true;
}

test('a disk with protection information is refused, or its image is right', { meta: { spec: ['FLT-13', 'COW-01'] } }, async ({ lab, random }) => {
  const l = await lab();
  const disk = await makeProtected(l);
  await disk.fill(1);
  if (await isRefused(l, disk)) return;
  const snapshot = await l.takeSnapshot(disk);
  const frozen = await disk.sectors();
  await fio(l.guest, { filename: disk.path, rw: 'randwrite', bs: '4k-64k', blockalign: '4k', io_size: '4m', size: '16m', randseed: random.below(1e9) });
  await expect(await (await snapshot.image(disk)).sectors()).toHoldSectorsOf(frozen);
  expect(await disk.snapshotInfo()).toMatchObject({ error: 0 });
});

/** As a field of struct blk_zone_range: 64 bits, the lowest byte first. */
function leSectors(bytes: number): string {
  const field = Buffer.alloc(8);
  field.writeBigUInt64LE(BigInt(bytes / 512));
  return field.toString('hex');
}

/** Of zones of 4 MiB. */
async function makeZoned(l: Lab): Promise<Device> {
  await l.sh('insmod /lib/modules/$(uname -r)/null_blk.ko nr_devices=1 zoned=1 zone_size=4 gb=1 memory_backed=1 submit_queues=1');
  l.defer(() => l.sh('rmmod null_blk'));
  return l.device('/dev/nullb0');
}

test('a zoned disk is refused, or its image is right', { meta: { spec: ['FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = await makeZoned(l);
  if (await isRefused(l, disk)) return;
  const load = { filename: disk.path, rw: 'write', bs: '4k', size: '1m', iodepth: 8 };
  await fio(l.guest, load);
  const snapshot = await l.takeSnapshot(disk);
  const image = await snapshot.image(disk);
  const frozen = await disk.sectorsAt(0, 4 * MIB);
  await fio(l.guest, { ...load, offset: '1m' });
  await expect(await image.sectorsAt(0, 4 * MIB)).toHoldSectorsOf(frozen);
  // A zone that is reset has lost all that was written to it.
  await l.sh('blkio ioctl "$1" 0x40101283 "$2"', disk.path, `${'00'.repeat(8)}${leSectors(4 * MIB)}`);
  await expect(await image.sectorsAt(0, 4 * MIB)).toHoldSectorsOf(frozen);
  await snapshot.destroy();
  await l.takeSnapshot(disk);
  const { block_size: block, changes } = await disk.cbtInfo();
  const map = await disk.cbtMap(0, 4 * MIB / block);
  expect(map.filter((mark) => mark === changes), 'blocks of the zone that was reset').toHaveLength(map.length);
});

test('zone writes that the block layer holds back and sends again are seen once', { meta: { spec: ['FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = await makeZoned(l);
  const probe = await attachProbe(l, disk);
  // One zone, in order, eight at a time: the zone's plug takes one and holds the others.
  const { writes } = await fio(l.guest, { filename: disk.path, rw: 'write', bs: '4k', size: '1m', iodepth: 8, verify: 'crc32c', do_verify: 1 });
  const seen = (await probe.log()).filter(({ kind }) => kind === 'write').map(({ offset }) => offset / (4 * KIB));
  expect((await probe.counts()).write).toBe(writes);
  expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
});
