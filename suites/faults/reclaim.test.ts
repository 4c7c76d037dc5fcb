/** Nothing that copying takes waits for I/O to get memory: what is written to free some may be waiting for the copy.
 *  Method: each allocation that the module makes, or has made for it, in whatever task, is watched while chunks are copied,
 *  stored in what grows, and read through the image. None may begin reclaim that is free to write. */
import {
  dataDisk, expect, FAILALLOC, freezeData, hitOf, holdOpen, largeDisk, mountExt4, storeDisk, test, watchAllocations, type Lab,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;
/** More than there are: all are watched, and none fails. */
const NEVER = 2 ** 32 - 1;

const storages: Readonly<Record<string, (l: Lab) => Promise<string>>> = {
  'a disk': async (l) => l.disk('store').path,
  'a file in memory': async () => '/tmp',
  'a file on ext4': async (l) => {
    await mountExt4(l, l.disk('store'), '/mnt/store', ['-E', 'lazy_itable_init=0']);
    return '/mnt/store';
  },
  'a file on XFS': async (l) => {
    await l.sh('mkfs.xfs -q -f "$1"; mkdir -p /mnt/store; mount "$1" /mnt/store', l.disk('large').path);
    l.defer(() => l.sh('umount /mnt/store'));
    return '/mnt/store';
  },
};

for (const [what, storage] of Object.entries(storages)) {
  test(`nothing of copying waits for I/O to get memory, the storage being ${what}`, {
    meta: { spec: ['COW-07'] },
  }, async ({ lab, faults, skip }) => {
    const l = await lab({ disks: [dataDisk, storeDisk, largeDisk], params: { diff_storage_minimum: 2 * MIB / 512 } });
    const { data, image, frozen } = await freezeData(l, { storage: await storage(l), limit: '32M' });
    // Who opens the image opens the device, and nothing of copying waits for that.
    const opener = await holdOpen(image);
    await watchAllocations(l);
    await l.sh(`echo ${NEVER} > ${FAILALLOC}/nth`);

    await data.fill(2);
    await expect(await image.sectors()).toHoldSectorsOf(frozen);

    expect(hitOf(await l.sh(`cat ${FAILALLOC}/waits`))).toBe('');
    await opener.close();
    const count = Number(await l.sh(`cat ${FAILALLOC}/count; echo 0 > ${FAILALLOC}/nth`));
    skip(count === 0, 'nothing is allocated for copying');
    const hit = `${count} allocations watched`;
    faults.record({ kind: 'call', operation: 'reclaim', point: what, hit, verdict: 'none may wait for I/O' });
  });
}
