/** Storage has more than 4 GiB, and what is stored beyond is found there.
 *  Method: devices whose first 4 GiB keep nothing and take no memory, before a real end; large chunks, each copied, the real one last. */
import { aio, dataDisk, expect, limit, makeDm, storeDisk, test, type Device, type Lab } from '../fixtures/index.js';

const [MIB, GIB] = [1024 ** 2, 1024 ** 3];
const CHUNK = 16 * MIB;
const BEFORE = 4 * GIB + 2 * CHUNK;
/** The real end of the storage begins earlier, and is longer than the chunk, for modules that keep something of their own there. */
const [EARLIER, END] = [CHUNK, 4 * CHUNK];

function makeLong(l: Lab, name: string, before: number, end: Device, length: number): Promise<Device> {
  return makeDm(l, name, `0 ${before / 512} linear /dev/nullb0 0`, `${before / 512} ${length / 512} linear ${end.path} 0`);
}

async function sectorsWritten(l: Lab, device: Device): Promise<number> {
  return Number((await l.sh('cat "/sys/block/$1/stat"', device.name)).trim().split(/\s+/)[6]);
}

test('a chunk that is stored beyond 4 GiB is found there', { timeout: limit(180_000), meta: { spec: ['DIF-01', 'COW-01', 'COW-02'] } }, async ({ lab, skip }) => {
  const l = await lab({ disks: [dataDisk, storeDisk], params: { chunk_minimum_shift: Math.log2(CHUNK) } });
  await l.sh('insmod /lib/modules/$(uname -r)/null_blk.ko nr_devices=1 gb=5');
  l.defer(() => l.sh('rmmod null_blk'));
  const data = await makeLong(l, 'long-data', BEFORE, l.disk('data'), CHUNK);
  const store = await makeLong(l, 'long-store', BEFORE - EARLIER, l.disk('store'), END);
  await data.fill(1, { offset: BEFORE, length: CHUNK });
  const frozen = await data.sectorsAt(BEFORE, CHUNK);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: store.path, limit: '8G' });

  const chunks = Array.from({ length: BEFORE / CHUNK }, (_, chunk) => ({ offset: chunk * CHUNK, length: 4096 }));
  expect(await aio(data, chunks)).toEqual(chunks.map(() => 4096));
  const written = await sectorsWritten(l, l.disk('store'));
  await data.fill(2, { offset: BEFORE, length: CHUNK });
  await l.sh('blockdev --flushbufs "$1"; echo 3 > /proc/sys/vm/drop_caches', store.path);
  skip(await sectorsWritten(l, l.disk('store')) - written < CHUNK / 512, 'the module has stored the last chunk elsewhere');

  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(await (await snapshot.image(data)).sectorsAt(BEFORE, CHUNK)).toHoldSectorsOf(frozen);
});
