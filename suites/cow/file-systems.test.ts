/** A mounted file system imaged under load is clean: it mounts from the image, and fsck finds nothing.
 *  Method: write files while the snapshot is taken; mount the image elsewhere, replay its log, check it. */
import { expect, largeDisk, startLoad, storeDisk, test, type Lab } from '../fixtures/index.js';

const fileSystems = {
  ext4: {
    make: 'mkfs.ext4 -q "$1"',
    mount: 'mount -t ext4 "$1" "$2"',
    mountImage: 'mount -t ext4 "$1" "$2"',
    check: 'e2fsck -fn "$1"',
  },
  xfs: {
    make: 'mkfs.xfs -q "$1"',
    mount: 'mount -t xfs "$1" "$2"',
    mountImage: 'mount -t xfs -o nouuid "$1" "$2"',
    check: 'xfs_repair -n "$1"',
  },
} as const;

/** Files with known content, synced: they must be in the image. */
const writeKnown = 'mkdir "$1/known"; for i in 1 2 3 4 5 6 7 8; do seq $i 20000 > "$1/known/$i"; done; sync; cd "$1/known"; md5sum *';

async function isFrozenElsewhere(l: Lab, path: string): Promise<void> {
  // Writing must be possible again: the freeze of the take is over.
  await l.sh('echo alive > "$1/alive"; sync', path);
}

for (const [name, fs] of Object.entries(fileSystems)) {
  test(`a mounted ${name} under load images to a clean file system`, { meta: { spec: ['COW-08', 'COW-01', 'COW-09'] } }, async ({ lab, random }) => {
    const l = await lab({ disks: [largeDisk, storeDisk] });
    const disk = l.disk('large');
    await l.sh(`${fs.make}; mkdir -p /mnt/a /mnt/b; ${fs.mount.replace('"$2"', '/mnt/a')}`, disk.path);
    l.defer(() => l.sh('umount /mnt/a'));
    const known = await l.sh(writeKnown, '/mnt/a');
    await l.attach(disk);

    const load = startLoad(l.guest, {
      directory: '/mnt/a', rw: 'randwrite', bs: '4k-64k', size: '4M', nrfiles: 4, create_on_open: 1, unlink: 1, loops: 1000,
      direct: 0, fsync: 8, ioengine: 'psync', iodepth: 1, randseed: random.below(1e9),
    });
    await load.started;
    const snapshot = await l.takeSnapshot(disk);
    const image = await snapshot.image(disk);
    const first = await image.sectors();
    await isFrozenElsewhere(l, '/mnt/a');
    await load.stop();
    await expect(await image.sectors()).toHoldSectorsOf(first);

    await l.sh(`${fs.mountImage}`, image.path, '/mnt/b');
    expect(await l.sh('cd /mnt/b/known; md5sum *')).toBe(known);
    await l.sh('umount /mnt/b');
    await l.sh(fs.check, image.path);
    expect(await disk.snapshotInfo()).toMatchObject({ error: 0 });

    await snapshot.destroy();
    expect(await l.sh('cd /mnt/a/known; md5sum *')).toBe(known);
    await l.sh('umount /mnt/a');
    await l.sh(fs.check, disk.path);
    await l.sh(fs.mount, disk.path, '/mnt/a');
  });
}

test('a file system that its owner has frozen stays frozen through a snapshot', { meta: { spec: ['SNP-01', 'COW-08'] } }, async ({ lab }) => {
  const l = await lab({ disks: [largeDisk, storeDisk] });
  const disk = l.disk('large');
  await l.sh('mkfs.ext4 -q "$1"; mkdir -p /mnt/a; mount "$1" /mnt/a; fsfreeze --freeze /mnt/a', disk.path);
  l.defer(() => l.sh('umount /mnt/a'));
  await l.attach(disk);
  const snapshot = await l.takeSnapshot(disk);
  const writer = l.guest.start(['sh', '-c', 'echo late > /mnt/a/late; sync; echo done'], { timeoutMs: 30_000 });
  writer.end();
  // Frozen: thawing once is what lets the writer go, and so is possible exactly once.
  await snapshot.destroy();
  await l.sh('fsfreeze --unfreeze /mnt/a');
  expect((await writer.result).text()).toBe('done');
  expect((await l.guest.attempt(['fsfreeze', '--unfreeze', '/mnt/a'])).exitCode).not.toBe(0);
});
