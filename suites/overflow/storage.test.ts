/** What may serve as difference storage, for which devices, and what is refused with a clear error.
 *  Method: offer it; what is accepted must hold an image, what is refused must leave nothing behind. */
import {
  dataDisk, expect, filledSectors, makeLinear, makeLoop, makePartitions, mountExt4, moduleReferences, secondDisk, Snapshot, steeredLab, storeDisk, test, thirdDisk,
  tool, type Device, type Lab,
} from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const CAPACITY = 16 * MIB + 3 * SECTOR;
const params = { diff_storage_minimum: 2 * MIB / SECTOR };
const disks = [dataDisk, secondDisk, thirdDisk, storeDisk];
const noExtents = ['-O', '^extents,^64bit,^metadata_csum'];

async function halves(l: Lab): Promise<[Device, Device]> {
  return await makePartitions(l, l.disk('second'), [{ start: MIB, length: 4 * MIB }, { start: 8 * MIB, length: 8 * MIB }]) as [Device, Device];
}

interface Case {
  readonly what: string;
  /** The device for the snapshot, and the storage. */
  readonly make: (l: Lab) => Promise<[device: Device, storage: string]>;
}

const refused: readonly Case[] = [
  { what: 'the device itself', make: async (l) => [l.disk('data'), l.disk('data').path] },
  { what: 'a file of the file system on the device', make: async (l) => {
    await mountExt4(l, l.disk('data'), '/mnt/data');
    return [l.disk('data'), '/mnt/data/diff'];
  } },
  { what: 'an unnamed file of the file system on the device', make: async (l) => {
    await mountExt4(l, l.disk('data'), '/mnt/data');
    return [l.disk('data'), '/mnt/data'];
  } },
  { what: 'a partition of the disk', make: async (l) => [l.disk('second'), (await halves(l))[1].path] },
  { what: 'a file on a partition of the disk', make: async (l) => {
    const [part] = await halves(l);
    await mountExt4(l, part, '/mnt/part');
    return [l.disk('second'), '/mnt/part/diff'];
  } },
  { what: 'the disk of the partition', make: async (l) => [(await halves(l))[0], l.disk('second').path] },
  { what: 'a device-mapper device over the device', make: async (l) => [l.disk('third'), (await makeLinear(l, 'over', l.disk('third'), 8 * MIB)).path] },
  { what: 'a file on a device-mapper device over the device', make: async (l) => {
    await mountExt4(l, await makeLinear(l, 'over', l.disk('third'), 8 * MIB), '/mnt/over');
    return [l.disk('third'), '/mnt/over/diff'];
  } },
  { what: 'a loop device over a file on the device', make: async (l) => {
    await mountExt4(l, l.disk('data'), '/mnt/data');
    return [l.disk('data'), (await makeLoop(l, 4 * MIB, '/mnt/data/backing')).path];
  } },
];

for (const { what, make } of refused) {
  test(`a device cannot join when the storage is ${what}`, { meta: { spec: ['DIF-04', 'SNP-04'] } }, async ({ lab }) => {
    const l = await lab({ disks, params });
    const [device, storage] = await make(l);
    await l.attach(device);
    const snapshot = await l.createSnapshot({ storage, limit: '2M' });

    await expect(snapshot.add(device)).rejects.toMatchObject({ name: 'ToolError', call: 'blkfilter_ctl_blksnap_snapshotadd' });

    await snapshot.destroy();
    // Nothing of it stays with the device.
    const good = await l.takeSnapshot(device);
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
    await good.destroy();
  });
}

const accepted: readonly Case[] = [
  { what: 'another partition of the disk', make: async (l) => {
    const [first, second] = await halves(l);
    return [first, second.path];
  } },
  { what: 'a file on another partition of the disk', make: async (l) => {
    const [first, second] = await halves(l);
    await mountExt4(l, second, '/mnt/part');
    return [first, '/mnt/part/diff'];
  } },
  { what: 'a file in memory', make: async (l) => [l.disk('second'), '/tmp/diff'] },
  { what: 'an unnamed file in memory', make: async (l) => [l.disk('second'), '/tmp'] },
  { what: 'a whole disk', make: async (l) => [l.disk('second'), l.disk('store').path] },
  { what: 'a file system that cannot preallocate, with a file large enough', make: async (l) => {
    await mountExt4(l, l.disk('store'), '/mnt/store', noExtents);
    await l.sh('dd if=/dev/zero of=/mnt/store/diff bs=1M count=20 2>/dev/null');
    return [l.disk('second'), '/mnt/store/diff'];
  } },
];

for (const { what, make } of accepted) {
  test(`the storage may be ${what}`, { meta: { spec: ['DIF-01', 'DIF-04', 'COW-01'] } }, async ({ lab }) => {
    const l = await lab({ disks, params });
    const [device, storage] = await make(l);
    const size = await device.size();
    await device.fill(1);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device, { storage });

    await device.fill(2);

    await expect(await (await snapshot.image(device)).sectors()).toHoldSectorsOf(filledSectors(size, 1));
    expect(await device.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await device.sectors()).toHoldSectorsOf(filledSectors(size, 2));
  });
}

test('where a file system cannot preallocate, a file is used as far as it reaches', { meta: { spec: ['DIF-02', 'DIF-03'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await mountExt4(l, l.disk('store'), '/mnt/store', noExtents);
  await l.sh('dd if=/dev/zero of=/mnt/store/diff bs=1M count=3 2>/dev/null');
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: '/mnt/store/diff', limit: '8M' });

  await data.fill(2, { length: 2 * MIB });
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(filledSectors(CAPACITY, 1));
  await data.fill(2, { offset: 2 * MIB });

  expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
  await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, 2));
  expect(await l.sh('stat -c %s /mnt/store/diff')).toBe(`${3 * MIB}`);
});

test('where a file system cannot preallocate, an empty file is refused, or full with the first chunks', { meta: { spec: ['DIF-02', 'DIF-03'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await mountExt4(l, l.disk('store'), '/mnt/store', noExtents);
  const freeBlocks = (): Promise<string> => l.sh('sync; stat -f -c %f /mnt/store');
  const free = await freeBlocks();
  await l.attach(data);
  await l.sh(': > /mnt/store/diff');
  for (const storage of ['/mnt/store/diff', '/mnt/store/new', '/mnt/store']) {
    const snapshot = await l.createSnapshot({ storage, limit: '4M' }).catch((error: unknown) => {
      expect(error).toMatchObject({ name: 'ToolError', call: 'IOCTL_BLKSNAP_SNAPSHOT_CREATE' });
      return undefined;
    });
    if (!snapshot) continue;
    await snapshot.add(data);
    const isTaken = await snapshot.take().then(() => true, (error: Error) => error.name !== 'ToolError');
    if (isTaken) {
      await data.fill(2, { length: MIB });
      expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
    }
    await snapshot.destroy();
  }
  expect(await Snapshot.collect(l.guest)).toEqual([]);
  expect(await freeBlocks()).toBe(free);
});

test('a block device is held exclusively while it is storage', { meta: { spec: ['DIF-05', 'DIF-06'] } }, async ({ lab }) => {
  const l = await lab();
  const store = l.disk('store');
  await l.guest.run(['mkfs.ext4', '-q', '-F', store.path]);
  const snapshot = await l.createSnapshot({ storage: store.path });

  await expect(tool(l.guest, ['blkio', 'hold', store.path, '--excl'])).rejects.toMatchObject({ errno: 'EBUSY' });
  await expect(l.createSnapshot({ storage: store.path })).rejects.toMatchObject({ errno: 'EBUSY', call: 'open' });
  expect((await l.guest.attempt(['mount', store.path, '/mnt'])).exitCode).not.toBe(0);

  await snapshot.destroy();
  await tool(l.guest, ['blkio', 'hold', store.path, '--excl']);
  await l.sh('mount "$1" /mnt; umount /mnt', store.path);
});

/** struct blksnap_snapshot_create with a file descriptor below 256. */
const createWith = (fd: number): string => `0010000000000000${fd.toString(16).padStart(2, '0')}000000${'00'.repeat(20)}`;

/** Sets $name to an unnamed file of another process, $!, opened without O_EXCL. */
const openUnnamed = 'xfs_io -T /tmp <>/tmp/pipe >/dev/null 2>&1 & until fd=$(ls -l /proc/$!/fd | grep "/tmp/#"); do :; done; fd=${fd%% -> *}; name=/proc/$!/fd/${fd##* };';

/** Without an errno: any that there is. */
const descriptors: readonly { what: string; open: string; fd?: number; errno?: string }[] = [
  { what: 'a directory', open: '3</tmp' },
  { what: 'a pipe', open: '3<>/tmp/pipe' },
  { what: 'a character device', open: '3<>/dev/zero' },
  { what: 'a file open for reading', open: '3</tmp/file', errno: 'EINVAL' },
  { what: 'a file open for writing', open: '3>/tmp/file', errno: 'EINVAL' },
  { what: 'a block device that is not held exclusively', open: '3<>$1', errno: 'EINVAL' },
  { what: 'a block device open for reading', open: '3<$1', errno: 'EINVAL' },
  { what: 'an unnamed file that can be given a name', open: '3<>$name', errno: 'EINVAL' },
  { what: 'the control device', open: '3<>/dev/blksnap-control' },
  { what: 'a closed descriptor', open: '3</dev/null', fd: 99 },
];

test(`a snapshot is refused with ${descriptors.length} kinds of descriptors that cannot be storage`, { meta: { spec: ['DIF-05', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  await l.sh('mkfifo /tmp/pipe; truncate -s 4M /tmp/file');
  for (const { what, open, fd = 3, errno } of descriptors) {
    const script = `${open.includes('$name') ? openUnnamed : ''} exec ${open}; blkio ioctl /dev/blksnap-control 0xC0205601 "$2"; [ -z "$!" ] || kill $!`;
    const { stdout, stderr } = await l.guest.attempt(['/bin/sh', '-c', script, 'sh', l.disk('store').path, createWith(fd)]);
    const line = stdout.toString().trim().split('\n').at(-1) ?? '';
    const answer = line.startsWith('{') ? `${(JSON.parse(line) as { error: string | null }).error}` : stderr.toString();
    expect(answer, what).toMatch(errno === undefined ? /^E[A-Z]+$/ : new RegExp(`^${errno}$`));
  }
  expect(await Snapshot.collect(l.guest)).toEqual([]);
  expect(await moduleReferences(l)).toBe(0);
});

test('a device cannot join when the storage cannot be flushed, where the module tries it', { meta: { spec: ['DIF-05', 'SNP-04'] } }, async ({ lab, skip }) => {
  const l = await steeredLab(lab);
  const [data, store] = [l.disk('data'), l.programmable('store')];
  await l.attach(data);
  const snapshot = await l.createSnapshot({ storage: l.disk('store').path });
  store.forget();
  const mend = store.fail({ kind: 'flush' }, 'EIO');
  const refusal = await snapshot.add(data).then(() => undefined, (error: unknown) => error);
  skip(store.requests({ kind: 'flush' }).length === 0, 'the module does not try its storage when a device joins');
  expect(refusal).toMatchObject({ name: 'ToolError', call: 'blkfilter_ctl_blksnap_snapshotadd', errno: 'EIO' });

  mend();
  await snapshot.add(data);
  await snapshot.take();
  await snapshot.destroy();
});
