/** A file grows ahead of need, by portions, up to the limit and never beyond it, and is given back at the end.
 *  Method: overwrite chunk by chunk, and with fio; look from outside at the space that the file has. */
import { dataDisk, eventually, expect, mountExt4, secondDisk, startLoad, storeDisk, test, type Lab } from '../fixtures/index.js';

const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;
const CHUNK = 256 * 1024;
/** diff_storage_minimum: 2 MiB. */
const PORTION = 2 * MIB;
const params = { diff_storage_minimum: PORTION / SECTOR };
const FILE = '/mnt/store/diff';
/** What module and file system may need for themselves. */
const SPARE = CHUNK / 2;

/** Bytes on the file system that the file has. */
async function spaceOf(l: Lab): Promise<number> {
  return Number(await l.sh('stat -c %b "$1"', FILE)) * SECTOR;
}

async function freeBlocks(l: Lab): Promise<number> {
  return Number(await l.sh('sync; stat -f -c %f /mnt/store'));
}

test('the file grows by a portion each time less than half of one is free', { meta: { spec: ['DIF-02', 'DIF-06'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await data.fill(1);
  await mountExt4(l, l.disk('store'), '/mnt/store');
  await l.attach(data);
  const [chunks, limit] = [34, 9 * MIB];
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '9M' });
  const frozen = await data.hostSectors();

  const sizes = new Set<number>();
  for (let chunk = 0; chunk < chunks; chunk++) {
    await data.write(chunk * CHUNK, new Uint8Array(SECTOR));
    const used = (chunk + 1) * CHUNK;
    // Ahead of need: when it has grown, half a portion is free, or nothing is left to take.
    const enough = Math.min(used + PORTION / 2, limit) - SPARE;
    const space = await eventually(`space for ${used} bytes, and more`, () => spaceOf(l), (seen) => seen >= enough);
    // Before it grew, less than half a portion was free.
    expect(space, `${used} bytes being used`).toBeLessThan(Math.min(used + PORTION / 2 + PORTION, limit) + SPARE);
    sizes.add(Math.floor(space / SPARE));
  }

  expect(sizes.size, 'it did not grow chunk by chunk').toBeLessThan(chunks / 2);
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(frozen);
  await snapshot.destroy();
  // ext4 may keep a block of the extent tree.
  expect(await spaceOf(l)).toBeLessThanOrEqual(4096);
});

// So that what is free is often too little for a chunk, and yet more than half a portion.
for (const [portion, chunkShift] of [[320 * KIB, 18], [1 * MIB, 21], [32 * KIB, 18]] as const) {
  test(`the file grows as it must by portions of ${portion / KIB} KiB for chunks of ${2 ** chunkShift / KIB} KiB`, { meta: { spec: ['DIF-02', 'COW-01'] } }, async ({ lab }) => {
    const l = await lab({ params: { diff_storage_minimum: portion / SECTOR, chunk_minimum_shift: chunkShift } });
    const data = l.disk('data');
    await data.fill(1);
    await mountExt4(l, l.disk('store'), '/mnt/store');
    await l.attach(data);
    const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '40M' });
    const frozen = await data.hostSectors();
    await data.fill(2);
    expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(frozen);
  });
}

test('the file grows while writers run, to the limit and not beyond', { meta: { spec: ['DIF-02', 'DIF-03'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await mountExt4(l, l.disk('store'), '/mnt/store');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '7M' });
  const watch = l.guest.start(['/bin/sh', '-c', 'while :; do now=$(stat -c %b "$0"); [ "$now" = "$last" ] || echo "$now"; last=$now; done', FILE], { timeoutMs: 60_000 });
  watch.end();
  let sizes = '';
  watch.onStdout((text) => { sizes += text.toString(); });

  const load = startLoad(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k', numjobs: 4, group_reporting: true, randseed: random.below(1e9) });
  expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
  expect((await load.stop()).writes).toBeGreaterThan(0);
  await watch.kill();

  expect(await spaceOf(l)).toBeGreaterThan(7 * MIB - CHUNK);
  const seen = sizes.trim().split('\n').map((blocks) => Number(blocks) * SECTOR);
  expect(Math.max(...seen)).toBeLessThan(7 * MIB + SPARE);
});

test('two devices share one growing file', { meta: { spec: ['DIF-01', 'DIF-02', 'COW-01'] } }, async ({ lab, random }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk], params });
  const devices = [l.disk('data'), l.disk('second')];
  await devices[0]?.fill(1, { device: 1 });
  await devices[1]?.fill(1, { device: 2 });
  await mountExt4(l, l.disk('store'), '/mnt/store');
  await l.attach(...devices);
  const snapshot = await l.takeSnapshot(devices, { storage: FILE, limit: '40M' });
  const frozen = await Promise.all(devices.map((device) => device.hostSectors()));

  const loads = devices.map((device) => startLoad(l.guest, { filename: device.path, rw: 'randwrite', bs: '4k-64k', time_based: true, randseed: random.below(1e9) }));
  await eventually('a file of more than 16 MiB', () => spaceOf(l), (bytes) => bytes > 16 * MIB, 30_000);
  for (const load of loads) await load.stop();

  for (const [index, device] of devices.entries()) {
    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(frozen[index]!);
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
  }
});

test('devices that copy small chunks at once get places of their own', { meta: { spec: ['DIF-01', 'COW-01', 'SNP-03'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk], params: { chunk_minimum_shift: 12, chunk_maximum_shift: 12 } });
  const devices = [l.disk('data'), l.disk('second')];
  for (const [index, device] of devices.entries()) await device.fill(1, { device: index + 1 });
  await l.attach(...devices);
  const snapshot = await l.takeSnapshot(devices);
  const frozen = await Promise.all(devices.map((device) => device.hostSectors()));
  await Promise.all(devices.map((device) => device.fill(2)));
  for (const [index, device] of devices.entries()) {
    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(frozen[index]!);
  }
});

const storages = [
  { what: 'an empty file', storage: FILE, before: ': > "$1"' },
  { what: 'a file that it made', storage: FILE, before: 'true' },
  { what: 'a file that had a size', storage: FILE, before: 'dd if=/dev/zero of="$1" bs=1M count=3 2>/dev/null' },
  { what: 'an unnamed file', storage: '/mnt/store', before: 'true' },
];

for (const { what, storage, before } of storages) {
  test(`destroy gives back the space of ${what}`, { meta: { spec: ['DIF-06', 'DIF-01'] } }, async ({ lab }) => {
    const l = await lab({ params });
    const data = l.disk('data');
    await mountExt4(l, l.disk('store'), '/mnt/store');
    await l.sh(before, FILE);
    await l.attach(data);
    const free = await freeBlocks(l);
    const snapshot = await l.takeSnapshot(data, { storage, limit: '12M' });
    await data.fill(2, { length: 8 * MIB });
    await eventually('space in use', () => freeBlocks(l), (blocks) => blocks < free - MIB / 4096);

    await snapshot.destroy();

    // ext4 keeps a block of the extent tree of a file that keeps a size.
    expect(await freeBlocks(l)).toBeGreaterThanOrEqual(free - 1);
    expect(await l.sh('ls /mnt/store')).toBe(storage === FILE ? 'diff\nlost+found' : 'lost+found');
  });
}
