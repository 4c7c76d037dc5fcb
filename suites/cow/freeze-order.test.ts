/** A take ends, though what it freezes is what another snapshot stores its copies on.
 *  Method: the storage of a held device lies on one of the two that are taken, and freezing the other one writes to the held
 *  device more chunks than memory has copies for; made in both orders, as the order of making tells what is frozen first. */
import { dataDisk, expect, makeLinear, mountExt4, secondDisk, storeDisk, test, thirdDisk, type Device, type Lab } from '../fixtures/index.js';

const MIB = 1024 * 1024;
/** The smallest bound of copies that the module keeps is reached by far. */
const params = { chunk_minimum_shift: 12, diff_storage_minimum: 12 * MIB / 512 };

async function mounted(l: Lab, name: string, below: Device): Promise<Device> {
  const device = await makeLinear(l, name, below, 16 * MIB);
  await mountExt4(l, device, `/mnt/${name}`, ['-O', '^has_journal']);
  return device;
}

for (const storageFirst of [true, false]) {
  const made = storageFirst ? 'first' : 'last';
  test(`devices are taken of which one has the storage that writes of the other wait for, made ${made}`, { meta: { spec: ['FLT-09', 'SNP-02', 'COW-01'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, thirdDisk, storeDisk], params });
    const held = l.disk('data');
    await l.attach(held);
    const make = { upper: () => mounted(l, 'upper', held), stores: () => mounted(l, 'stores', l.disk('third')) };
    const [first, last] = [await make[storageFirst ? 'stores' : 'upper'](), await make[storageFirst ? 'upper' : 'stores']()];
    const holding = await l.takeSnapshot(held, { storage: '/mnt/stores/diff', limit: '12M' });
    const frozen = await (await holding.image(held)).sectors();
    await l.attach(first, last);
    await l.sh('dd if=/dev/zero of=/mnt/upper/dirty bs=1M count=6 2> /dev/null');

    const taken = await l.takeSnapshot([first, last], { storage: '/tmp/diff', limit: '64M' });

    await l.sh('sync; echo more > /mnt/upper/more; echo more > /mnt/stores/more; sync');
    expect(await held.snapshotInfo()).toMatchObject({ error: 0 });
    expect(await first.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await (await holding.image(held)).sectors()).toHoldSectorsOf(frozen);
    await taken.destroy();
    await holding.destroy();
  });
}
