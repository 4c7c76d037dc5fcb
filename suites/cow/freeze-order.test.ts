/** A take ends, though of what it freezes one lies on the other, or another snapshot stores its copies there.
 *  Method: two file systems, of which one lies on the other, are taken, added in both orders. Or the storage of a held device lies on
 *  one of the two that are taken, and freezing the other one writes to the held device more chunks than memory has copies for; made
 *  in both orders, as the order of making tells what is frozen first. */
import { dataDisk, expect, makeLinear, makeLoop, mountExt4, secondDisk, storeDisk, test, thirdDisk, type Device, type Lab } from '../fixtures/index.js';

const MIB = 1024 * 1024;
/** The smallest bound of copies that the module keeps is reached by far. */
const params = { chunk_minimum_shift: 12, diff_storage_minimum: 12 * MIB / 512 };

async function mounted(l: Lab, name: string, below: Device): Promise<Device> {
  const device = await makeLinear(l, name, below, 16 * MIB);
  await mountExt4(l, device, `/mnt/${name}`, ['-O', '^has_journal']);
  return device;
}

for (const [storageFirst, snapshotFirst] of [[true, false], [false, false], [false, true]] as const) {
  const made = `${storageFirst ? 'first' : 'last'}${snapshotFirst ? ', by a snapshot older than that storage' : ''}`;
  test(`devices are taken of which one has the storage that writes of the other wait for, made ${made}`, { meta: { spec: ['FLT-09', 'SNP-02', 'COW-01'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, thirdDisk, storeDisk], params });
    const held = l.disk('data');
    await l.attach(held);
    const make = { upper: () => mounted(l, 'upper', held), stores: () => mounted(l, 'stores', l.disk('third')) };
    const inMemory = { storage: '/tmp/diff', limit: '64M' };
    const older = snapshotFirst ? await l.createSnapshot(inMemory) : undefined;
    const [first, last] = [await make[storageFirst ? 'stores' : 'upper'](), await make[storageFirst ? 'upper' : 'stores']()];
    const holding = await l.takeSnapshot(held, { storage: '/mnt/stores/diff', limit: '12M' });
    const frozen = await (await holding.image(held)).sectors();
    await l.attach(first, last);
    await l.sh('dd if=/dev/zero of=/mnt/upper/dirty bs=1M count=6 2> /dev/null');

    const taken = older ?? await l.createSnapshot(inMemory);
    await taken.add(first, last);
    await taken.take();

    await l.sh('sync; echo more > /mnt/upper/more; echo more > /mnt/stores/more; sync');
    expect(await held.snapshotInfo()).toMatchObject({ error: 0 });
    expect(await first.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await (await holding.image(held)).sectors()).toHoldSectorsOf(frozen);
    await taken.destroy();
    await holding.destroy();
  });
}

for (const lowerFirst of [true, false]) {
  const added = lowerFirst ? 'first' : 'last';
  test(`of two file systems of which one is in a file of the other both are taken, the lower added ${added}`, { meta: { spec: ['SNP-02', 'COW-08', 'COW-01'] } }, async ({ lab }) => {
    const l = await lab();
    const lower = l.disk('data');
    await mountExt4(l, lower, '/mnt/lower');
    const upper = await makeLoop(l, 6 * MIB, '/mnt/lower/backing');
    await mountExt4(l, upper, '/mnt/upper');
    await l.attach(lower, upper);
    await l.sh('seq 200000 > /mnt/upper/dirty; seq 100000 > /mnt/lower/dirty');

    const snapshot = await l.takeSnapshot(lowerFirst ? [lower, upper] : [upper, lower]);

    await l.sh('cp /mnt/upper/dirty /tmp/upper; cp /mnt/lower/dirty /tmp/lower; echo > /mnt/upper/dirty; echo > /mnt/lower/dirty; sync; mkdir -p /mnt/image');
    for (const [name, device] of Object.entries({ lower, upper })) {
      const image = await snapshot.image(device);
      await l.sh('e2fsck -fn "$1"; mount -o ro "$1" /mnt/image; cmp /mnt/image/dirty "/tmp/$2"; umount /mnt/image', image.path, name);
    }
    await snapshot.destroy();
  });
}
