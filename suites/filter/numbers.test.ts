/** However many filters of a disk come and go, one that stays misses no write and holds none up.
 *  Method: a filter stays on one partition; the numbers that tell filters apart are used up (skip_numbers/), as attaching that often
 *  takes ten minutes; then writes through each node, and what was marked. */
import { fileURLToPath } from 'node:url';
import { dataDisk, expect, makePartitions, storeDisk, test, type Device } from '../fixtures/index.js';
import { insertOwnModule } from '../fixtures/own-module.js';
import { changedSince } from '../oracle/cbt.js';

const MIB = 1024 * 1024;
/** With two more filters their numbers are as far apart as they can be: 2^15 - 1. */
const SKIPPED = 2 ** 15 - 3;

async function blocksMarked(device: Device): Promise<number> {
  return changedSince(await device.cbtMap(), 0).length;
}

test('a filter that stays sees each write while others come and go, and one that would be too far from it is refused', { meta: { spec: ['FLT-12', 'FLT-14', 'FLT-03'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk] });
  const disk = l.disk('data');
  const [stays, comes] = await makePartitions(l, disk, [{ start: MIB, length: 4 * MIB }, { start: 8 * MIB, length: 4 * MIB }]) as [Device, Device];
  await l.attach(stays);
  await insertOwnModule(l.guest, fileURLToPath(new URL('skip_numbers/', import.meta.url)), { path: disk.path, by: SKIPPED });
  await comes.attach();
  await comes.detach();
  await comes.attach();
  await stays.write(0, Buffer.alloc(4096, 1));
  await comes.write(0, Buffer.alloc(4096, 1));
  await disk.write(3 * MIB, Buffer.alloc(4096, 1));
  await disk.write(10 * MIB, Buffer.alloc(4096, 1));
  await (await l.takeSnapshot([stays, comes])).destroy();
  expect([await blocksMarked(stays), await blocksMarked(comes)]).toEqual([2, 2]);

  await comes.detach();
  await expect(comes.attach()).rejects.toMatchObject({ errno: 'EOVERFLOW' });
  expect(await comes.sysfsFilter()).toBe('\n');
  await comes.write(0, Buffer.alloc(4096, 1));
  await stays.write(2 * MIB, Buffer.alloc(4096, 1));
  await stays.detach();
  await l.attach(comes, stays);
  await comes.write(0, Buffer.alloc(4096, 1));
  await disk.write(3 * MIB, Buffer.alloc(4096, 1));
  await (await l.takeSnapshot([stays, comes])).destroy();
  expect([await blocksMarked(stays), await blocksMarked(comes)]).toEqual([1, 1]);
});
