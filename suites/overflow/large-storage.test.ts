/** Storage has more than 4 GiB, and what is stored beyond is found there.
 *  Method: devices whose first 4 GiB keep nothing and take no memory, before a real end; large chunks, each copied, the real ones last. */
import { aio, dataDisk, expect, limit, storeDisk, test, type Device, type Lab } from '../fixtures/index.js';

const [MIB, GIB] = [1024 ** 2, 1024 ** 3];
const CHUNK = 16 * MIB;
const BEFORE = 4 * GIB + 2 * CHUNK;

async function makeLong(l: Lab, name: string, end: Device): Promise<Device> {
  const table = `0 ${BEFORE / 512} linear /dev/nullb0 0\n${BEFORE / 512} ${CHUNK / 512} linear ${end.path} 0`;
  await l.sh('echo "$2" | dmsetup create --noudevsync --noudevrules "$1"', name, table);
  l.defer(() => l.sh('dmsetup remove --noudevsync "$1"', name));
  return l.device(`/dev/dm-${await l.sh('dmsetup info -c --noheadings -o minor "$1"', name)}`);
}

test('a chunk that is stored beyond 4 GiB is found there', { timeout: limit(180_000), meta: { spec: ['DIF-01', 'COW-01', 'COW-02'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk], params: { chunk_minimum_shift: Math.log2(CHUNK) } });
  await l.sh('insmod /lib/modules/$(uname -r)/null_blk.ko nr_devices=1 gb=5');
  l.defer(() => l.sh('rmmod null_blk'));
  const [data, store] = [await makeLong(l, 'long-data', l.disk('data')), await makeLong(l, 'long-store', l.disk('store'))];
  await data.fill(1, { offset: BEFORE, length: CHUNK });
  const frozen = await data.sectorsAt(BEFORE, CHUNK);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: store.path, limit: '8G' });

  const chunks = Array.from({ length: BEFORE / CHUNK }, (_, chunk) => ({ offset: chunk * CHUNK, length: 4096 }));
  expect(await aio(data, chunks)).toEqual(chunks.map(() => 4096));
  await data.fill(2, { offset: BEFORE, length: CHUNK });
  await l.sh('blockdev --flushbufs "$1"; echo 3 > /proc/sys/vm/drop_caches', store.path);

  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(await (await snapshot.image(data)).sectorsAt(BEFORE, CHUNK)).toHoldSectorsOf(frozen);
});
