/** Bugs of other snapshot drivers in which a failure was hidden, made up, or never ended: what their users saw.
 *  Method: the failure of each report, then what its user would have done next. */
import { dataDisk, expect, freezeData, hotDisk, mountExt4, storeDisk, test } from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

// dattobd, fixed by 8358907; elastio-snap issue 185: reads of an image that was lost ended well, with zeroes.
test('the image of a lost snapshot was copied to the end, and the backup was called good', {
  meta: { spec: ['COW-06', 'DIF-03'] },
}, async ({ lab }) => {
  const l = await lab();
  const { data, image } = await freezeData(l, { storage: '/tmp', limit: '512K' });
  await data.fill(2);
  const copies = [
    'dd if="$1" of=/dev/null bs=64k', 'dd if="$1" of=/dev/null bs=64k iflag=direct', 'cat "$1" > /dev/null',
    'cp "$1" /tmp/copy', 'md5sum "$1"',
  ];
  const said = 'grep -o "Input/output error" /tmp/said | head -n 1';
  const ends = await l.sh(copies.map((copy) => `if ${copy} 2> /tmp/said; then echo good; else ${said}; fi`).join('\n'), image.path);
  expect(ends.split('\n')).toEqual(copies.map(() => 'Input/output error'));
});

// blksnap issue 112: a discard of 4 KiB was answered with EPERM, and the snapshot was marked corrupt for it.
test('a small discard cost the snapshot', { meta: { spec: ['COW-05', 'COW-06'] } }, async ({ lab }) => {
  const l = await lab();
  const { data, image, frozen } = await freezeData(l);
  for (const offset of [4 * KIB, MIB - 4 * KIB]) await data.discard(offset, 4 * KIB);
  for (const offset of [3 * MIB + SECTOR, dataDisk.sizeBytes - SECTOR]) await data.discard(offset, SECTOR);
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});

// blksnap, fixed by ef05b97: a take that failed half way left file systems frozen.
test('after a snapshot that could not be taken, programs that wrote to the file system hung', {
  meta: { spec: ['SNP-08'] },
}, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  const [data, hot] = [l.disk('data'), l.disk('hot')];
  await mountExt4(l, data, '/mnt/data');
  await l.attach(data);
  await hot.attach();
  const snapshot = await l.createSnapshot();
  await snapshot.add(data, hot);
  await l.sh('echo 1 > "/sys/block/$1/device/delete"', hot.name);
  await expect(snapshot.take()).rejects.toMatchObject({ errno: 'ENODEV' });
  await l.sh('timeout 30 sh -c "head -c 100000 /dev/urandom > /mnt/data/file; sync"');
  await snapshot.destroy();
  await (await l.takeSnapshot(data)).destroy();
});
