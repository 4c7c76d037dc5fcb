/** A file grows ahead of need, by portions, up to the limit and never beyond it, and is given back at the end.
 *  Method: overwrite chunk by chunk, and with fio; look at the file's size from outside. */
import { dataDisk, eventually, expect, mountExt4, secondDisk, startLoad, storeDisk, test, type Lab } from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const CHUNK = 256 * 1024;
/** diff_storage_minimum: 2 MiB. */
const PORTION = 2 * MIB;
const params = { diff_storage_minimum: PORTION / SECTOR };
const FILE = '/mnt/store/diff';

async function sizeOf(l: Lab): Promise<number> {
  return Number(await l.sh('stat -c %s "$1"', FILE));
}

async function freeBlocks(l: Lab): Promise<number> {
  return Number(await l.sh('sync; stat -f -c %f /mnt/store'));
}

/** Overwrites a sector of each chunk, $2 and so on being the size that the file must come to. Prints what did not come. */
const overwriteEach = `
device=$1; shift; chunk=0
for size; do
  head -c 512 /dev/zero | blkio write "$device" $((chunk * ${CHUNK})) --direct
  tries=0
  until [ "$(stat -c %s ${FILE})" = "$size" ]; do
    tries=$((tries + 1))
    [ $tries -lt 500 ] || { echo "after chunk $chunk: expected $size, seen $(stat -c %s ${FILE})"; exit 0; }
    sleep 0.01
  done
  chunk=$((chunk + 1))
done`;

/** DIF-02: another portion each time free space falls below half of one. */
function sizeWith(chunks: number, limit: number): number {
  let size = Math.min(PORTION, limit);
  for (let used = CHUNK; used <= chunks * CHUNK; used += CHUNK) {
    if (size - used < PORTION / 2) size = Math.min(size + PORTION, limit);
  }
  return size;
}

test('the file grows by a portion each time less than half of one is free', { meta: { spec: ['DIF-02', 'DIF-06'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await data.fill(1);
  await mountExt4(l, l.disk('store'), '/mnt/store');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '9M' });
  const frozen = await data.hostSectors();
  expect(await sizeOf(l)).toBe(PORTION);

  const sizes = Array.from({ length: 34 }, (_, chunk) => `${sizeWith(chunk + 1, 9 * MIB)}`);
  expect(await l.sh(overwriteEach, data.path, ...sizes)).toBe('');

  expect(await sizeOf(l)).toBe(9 * MIB);
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(frozen);
  await snapshot.destroy();
  expect(await sizeOf(l)).toBe(0);
});

test('the file grows while writers run, in whole portions, to the limit and not beyond', { meta: { spec: ['DIF-02', 'DIF-03'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await mountExt4(l, l.disk('store'), '/mnt/store');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '7M' });
  const watch = l.guest.start(['/bin/sh', '-c', 'while :; do now=$(stat -c %s "$0"); [ "$now" = "$last" ] || echo "$now"; last=$now; done', FILE], { timeoutMs: 60_000 });
  watch.end();
  let sizes = '';
  watch.onStdout((text) => { sizes += text.toString(); });

  const load = startLoad(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k', numjobs: 4, group_reporting: true, randseed: random.below(1e9) });
  expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
  expect((await load.stop()).writes).toBeGreaterThan(0);
  await watch.kill();

  expect(await sizeOf(l)).toBe(7 * MIB);
  const seen = sizes.trim().split('\n').map(Number);
  expect([2 * MIB, 4 * MIB, 6 * MIB, 7 * MIB]).toEqual(expect.arrayContaining(seen));
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
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
  await eventually('a file of more than 16 MiB', () => sizeOf(l), (size) => size > 16 * MIB, 30_000);
  for (const load of loads) await load.stop();

  for (const [index, device] of devices.entries()) {
    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(frozen[index]!);
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
  }
});

const storages = [
  { what: 'an empty file', storage: FILE, before: ': > "$1"', left: '0' },
  { what: 'a file that it made', storage: FILE, before: 'true', left: '0' },
  { what: 'a file that had a size', storage: FILE, before: 'dd if=/dev/zero of="$1" bs=1M count=3 2>/dev/null', left: `${3 * MIB}` },
  { what: 'an unnamed file', storage: '/mnt/store', before: 'true', left: 'none' },
];

for (const { what, storage, before, left } of storages) {
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

    expect(await l.sh('stat -c %s "$1" 2>/dev/null || echo none', FILE)).toBe(left);
    // ext4 keeps a block of the extent tree of a file that keeps a size.
    expect(await freeBlocks(l)).toBeGreaterThanOrEqual(free - (left === `${3 * MIB}` ? 1 : 0));
    expect(await l.sh('ls /mnt/store')).toBe(left === 'none' ? 'lost+found' : 'diff\nlost+found');
  });
}
