/** Copying needs no memory that it has not got already, so it goes on when there is none.
 *  Method: a guest with little memory whose swap, or whose dirty pages, can only go to the device that is held;
 *  it must get all of it out and back, and the image must be right. And a store that is stuck: reading stops at a bound, and so does
 *  taking writes that wait. */
import type { DiskSpec } from '../../vm/index.js';
import { eventually, expect, filledSectors, holdOpen, limit, makeLinear, mountExt4, test, type Device, type Frozen, type Lab } from '../fixtures/index.js';

const MIB = 1024 * 1024;
const MEMORY_MIB = 128;
const CHUNK = 256 * 1024;
const swapDisk: DiskSpec = { name: 'swap', sizeBytes: 160 * MIB };
const roomyDisk: DiskSpec = { name: 'roomy', sizeBytes: 192 * MIB };
const disks = [swapDisk, roomyDisk];
/** So many writes at once, and what each takes that is kept: a bio and a request of asynchronous I/O (18.3 MB seen for all). Who keeps half
 *  of them has no bound. */
const [STORM, KEPT_BYTES] = [30_000, 600];
const hasTime = { timeout: limit(600_000), meta: { spec: ['COW-07', 'COW-01'] } };

const storages: readonly { what: string; make: (l: Lab) => Promise<string> }[] = [
  { what: 'a disk', make: async (l) => l.disk('roomy').path },
  { what: 'a file', make: async (l) => {
    await mountExt4(l, l.disk('roomy'), '/mnt/store');
    return '/mnt/store/diff';
  } },
];

/** Files in memory, more of it than there is. */
const files = [1, 2, 3, 4];
const FILE_BYTES = 28 * MIB;

async function fillMemory(l: Lab, version: number): Promise<void> {
  await Promise.all(files.map((file) => l.guest.run(
    ['blkio', 'fill', `/mnt/memory/${file}`, '0', `${FILE_BYTES}`, '--device', `${file}`, '--version', `${version}`], { timeoutMs: 300_000 },
  )));
}

async function expectMemory(l: Lab, version: number): Promise<void> {
  for (const file of files) {
    await expect(await l.device(`/mnt/memory/${file}`).sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(filledSectors(FILE_BYTES, version, file));
  }
}

/** By all that the device was asked for so far. */
async function bytesWritten(l: Lab, device: Device): Promise<number> {
  return Number(await l.sh('awk \'{ print $7 * 512 }\' "/sys/class/block/$1/stat"', device.name));
}

for (const { what, make } of storages) {
  test(`memory goes to swap on a device that is held, and back, the storage being ${what}`, hasTime, async ({ lab }) => {
    const l = await lab({ disks, memoryMiB: MEMORY_MIB, params: { diff_storage_minimum: 8 * MIB / 512 } });
    const swap = l.disk('swap');
    await swap.fill(1);
    await l.sh('busybox mkswap "$1" > /dev/null', swap.path);
    const storage = await make(l);
    await l.attach(swap);
    const snapshot = await l.takeSnapshot(swap, { storage });
    const frozen = await swap.hostSectors();
    await l.sh('busybox swapon "$1"; mkdir -p /mnt/memory; mount -t tmpfs -o size=1G none /mnt/memory', swap.path);
    await l.sh(files.map((file) => `truncate -s ${FILE_BYTES} /mnt/memory/${file}`).join('; '));

    const before = await bytesWritten(l, swap);
    await fillMemory(l, 1);
    await expectMemory(l, 1);
    await fillMemory(l, 2);
    await expectMemory(l, 2);

    // Much more than what little the guest could do without.
    expect(await bytesWritten(l, swap) - before).toBeGreaterThan(32 * MIB);
    expect(await swap.snapshotInfo()).toMatchObject({ error: 0 });
    await l.sh('umount /mnt/memory; busybox swapoff "$1"', swap.path);
    await expect(await (await snapshot.image(swap)).sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(frozen);
  });
}

test('pages dirtied beyond memory get to a file system on a device that is held', hasTime, async ({ lab }) => {
  const l = await lab({ disks, memoryMiB: MEMORY_MIB });
  const data = l.disk('swap');
  await data.fill(1);
  await mountExt4(l, data, '/mnt/data', ['-E', 'nodiscard,lazy_itable_init=0']);
  await l.attach(data);
  await l.sh('busybox fsfreeze --freeze /mnt/data');
  const snapshot = await l.takeSnapshot(data, { storage: l.disk('roomy').path });
  const frozen = await data.hostSectors();
  await l.sh('busybox fsfreeze --unfreeze /mnt/data');

  await l.sh('touch /mnt/data/1 /mnt/data/2 /mnt/data/3');
  await Promise.all([1, 2, 3].map((file) => l.guest.run(
    ['blkio', 'fill', `/mnt/data/${file}`, '0', `${44 * MIB}`, '--device', '1', '--version', `${file}`], { timeoutMs: 300_000 },
  )));
  await l.sh('sync; echo 3 > /proc/sys/vm/drop_caches');

  for (const file of [1, 2, 3]) {
    await expect(await l.device(`/mnt/data/${file}`).sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(filledSectors(44 * MIB, file));
  }
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(await (await snapshot.image(data)).sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(frozen);
});

test('a file that was a storage takes more than memory holds', { timeout: limit(600_000), meta: { spec: ['DIF-06', 'COW-07'] } }, async ({ lab }) => {
  const l = await lab({ disks, memoryMiB: MEMORY_MIB, params: { diff_storage_minimum: 8 * MIB / 512 } });
  await mountExt4(l, l.disk('roomy'), '/mnt/store');
  const file = l.device('/mnt/store/diff');
  await l.attach(l.disk('swap'));
  const snapshot = await l.takeSnapshot(l.disk('swap'), { storage: file.path });
  // What the kernel has of the file stays in memory.
  const opener = await holdOpen(file);
  await snapshot.destroy();
  await l.guest.run(['blkio', 'fill', file.path, '0', `${144 * MIB}`, '--device', '1', '--version', '1'], { timeoutMs: 300_000 });
  await expect(await file.sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(filledSectors(144 * MIB, 1));
  await opener.close();
});

/** A snapshot whose store takes nothing until `dmsetup resume stuck`. */
async function freezeStuck(l: Lab): Promise<Omit<Frozen, 'image'>> {
  const data = l.disk('swap');
  await data.fill(1);
  const store = await makeLinear(l, 'stuck', l.disk('roomy'), 192 * MIB);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: store.path });
  const frozen = await data.hostSectors();
  await l.sh('dmsetup suspend --noudevsync stuck');
  return { data, snapshot, frozen };
}

/** Bytes that were read from the device since the guest was made. */
async function bytesRead(l: Lab, device: Device): Promise<number> {
  return Number(await l.sh("awk '{ print $3 * 512 }' /sys/class/block/$1/stat", device.name));
}

test('while the store is stuck, copies are made up to a bound only, and all goes on when it moves again', hasTime, async ({ lab, random }) => {
  const l = await lab({ disks });
  const { data, snapshot, frozen } = await freezeStuck(l);
  const before = await bytesRead(l, data);

  // Each write is the first one to its chunk.
  const writes = swapDisk.sizeBytes / CHUNK;
  const load = l.guest.start([
    'fio', '--name=load', `--filename=${data.path}`, '--rw=write:252k', '--bs=4k', '--direct=1', '--ioengine=libaio', `--iodepth=${writes}`, `--number_ios=${writes}`,
    `--randseed=${random.below(1e9)}`,
  ], { timeoutMs: 300_000 });
  load.end();
  let last = -1;
  const read = await eventually('an end of the copying', async () => {
    const now = await bytesRead(l, data) - before;
    const same = now === last && now > 0;
    last = now;
    await l.sh('sleep 1');
    return { now, same };
  }, ({ same }) => same, 60_000);
  // One that has room for all of the device is none.
  expect(read.now).toBeLessThan(swapDisk.sizeBytes);
  await l.sh('dmsetup resume --noudevsync stuck');

  expect((await load.result).exitCode).toBe(0);
  expect(await bytesRead(l, data) - before).toBe(swapDisk.sizeBytes);
  await expect(await (await snapshot.image(data)).sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(frozen);
});

/** Of the kernel's small objects, among them requests and what is known of each. */
async function slabBytes(l: Lab): Promise<number> {
  return Number(await l.sh("awk '/^Slab:/ { print $2 * 1024 }' /proc/meminfo"));
}

test('while the store is stuck, a storm of writes waits where it takes no memory, and all goes on when it moves again', hasTime, async ({ lab, random }) => {
  const l = await lab({ disks });
  const { data, snapshot, frozen } = await freezeStuck(l);
  await l.sh('echo 1000000 > /proc/sys/fs/aio-max-nr');
  const before = await slabBytes(l);

  const load = l.guest.start([
    'fio', '--name=storm', `--filename=${data.path}`, '--rw=randwrite', '--bs=512', '--direct=1', '--ioengine=libaio', `--iodepth=${STORM}`,
    `--number_ios=${STORM}`, '--norandommap', `--randseed=${random.below(1e9)}`,
  ], { timeoutMs: 300_000 });
  load.end();
  let last = { read: -1, slab: 0 };
  const most = await eventually('an end of the storm', async () => {
    const now = { read: await bytesRead(l, data), slab: await slabBytes(l) };
    const same = now.read === last.read && Math.abs(now.slab - last.slab) < MIB / 8;
    last = now;
    await l.sh('sleep 1');
    return { ...now, same };
  }, ({ same }) => same, 60_000);
  expect(most.slab - before).toBeLessThan(STORM / 2 * KEPT_BYTES);
  await l.sh('dmsetup resume --noudevsync stuck');

  expect((await load.result).exitCode).toBe(0);
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(await (await snapshot.image(data)).sectors({ timeoutMs: 120_000 })).toHoldSectorsOf(frozen);
});
