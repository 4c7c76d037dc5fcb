/** A growth that fails half way gives back what it had got.
 *  Method: on a file system with less room than a portion, which gives what it has before it says that it is full; the file was
 *  large beforehand, and all holes, so that what lies within it is not cut off at its end. */
import { expect, mountExt4, test } from '../fixtures/index.js';

const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;
const CHUNK = 256 * KIB;
const PORTION = 2 * MIB;
const FILE = '/mnt/store/diff';

test('a growth that meets the end of the file system half way gives all back at destroy', { meta: { spec: ['DIF-06', 'DIF-03'] } }, async ({ lab, faults }) => {
  const l = await lab({ params: { diff_storage_minimum: PORTION / SECTOR } });
  const data = l.disk('data');
  await data.fill(1);
  await mountExt4(l, l.disk('store'), '/mnt/store', ['-O', '^has_journal', '-m', '0', '-E', 'lazy_itable_init=0'], '16M');
  const free = async (): Promise<number> => Number(await l.sh('sync -f /mnt/store; stat -f -c "%a %S" /mnt/store | { read -r blocks size; echo $((blocks * size)); }'));
  const blocks = async (): Promise<number> => Number(await l.sh(`stat -c %b ${FILE}`)) * SECTOR;
  await l.sh(`truncate -s 8M ${FILE}; fallocate -l "$1" /mnt/store/filler`, `${await free() - PORTION - 3 * CHUNK}`);
  const before = await free();
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '8M' });

  // More chunks than there is room for.
  for (let chunk = 0; chunk < PORTION / CHUNK + 4; chunk++) await data.fill(2, { offset: chunk * CHUNK, length: SECTOR });
  expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
  const got = await blocks();
  expect(got, 'of two portions').toBeGreaterThan(0);
  expect(got, 'of two portions').toBeLessThan(2 * PORTION);

  await snapshot.destroy();
  expect(await blocks()).toBe(0);
  expect(await free()).toBe(before);
  const hit = `two portions of ${PORTION} bytes, ${got} bytes of them`;
  faults.record({ kind: 'io', operation: 'growth', point: 'the file system is full half way', hit, verdict: 'ENOSPC, and all space is back' });
});
