/** The image equals the device at the cut, whatever is written to the device.
 *  Method: fill the device, take, rewrite it all with fio in many ways, compare each sector, twice. */
import { dataDisk, expect, filledSectors, fio, freezeData, test } from '../fixtures/index.js';

const ways = [
  { rw: 'randwrite', bs: '512', engine: 'libaio', direct: 1, ioSize: '2M' },
  { rw: 'randwrite', bs: '4k', engine: 'io_uring', direct: 1, ioSize: '8M' },
  { rw: 'randwrite', bs: '4k', engine: 'psync', direct: 0, ioSize: '8M' },
  { rw: 'randwrite', bs: '512-64k', engine: 'libaio', direct: 1, ioSize: '16M' },
  { rw: 'randwrite', bs: '1M', engine: 'io_uring', direct: 1, ioSize: '16M' },
  { rw: 'write', bs: '512', engine: 'psync', direct: 0, ioSize: '4M' },
  { rw: 'write', bs: '64k', engine: 'libaio', direct: 1, ioSize: '16M' },
  { rw: 'write', bs: '1M', engine: 'psync', direct: 0, ioSize: '16M' },
] as const;

for (const { rw, bs, engine, direct, ioSize } of ways) {
  // The ring asks first not to wait, and asks again.
  const spec = ['COW-01', 'FLT-13', ...(engine === 'io_uring' ? ['COW-04'] : [])];
  test(`the image stays while fio rewrites the device: ${rw} of ${bs} by ${engine}, ${direct ? 'direct' : 'buffered'}`, { meta: { spec } }, async ({ lab, random }) => {
    const l = await lab();
    const { data, snapshot, image, frozen } = await freezeData(l);

    const load = { filename: data.path, rw, bs, ioengine: engine, direct, io_size: ioSize, iodepth: engine === 'psync' ? 1 : 16, randseed: random.below(1e9) };
    await fio(l.guest, { ...load, ...(direct ? {} : { end_fsync: 1 }) });

    await expect(await image.sectors()).toHoldSectorsOf(frozen);
    await data.fill(2);
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
    expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
    await snapshot.destroy();
    await expect(await data.sectors()).toHoldSectorsOf(await data.hostSectors());
  });
}

test('the image can be read while the device is written, and the device holds what was written', { meta: { spec: ['COW-01', 'COW-09', 'IMG-02'] } }, async ({ lab, random }) => {
  const l = await lab();
  const { data, image, frozen } = await freezeData(l);

  const writing = fio(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k-32k', io_size: '16M', iodepth: 8, randseed: random.below(1e9), verify: 'crc32c', do_verify: 1 });
  const reading = fio(l.guest, { filename: image.path, rw: 'randread', bs: '512-64k', io_size: '8M', iodepth: 8, ioengine: 'io_uring', randseed: random.below(1e9) });
  await Promise.all([writing, reading]);

  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});

test('an image reads the same through the page cache, and no page of it is left for the next image', { meta: { spec: ['IMG-02', 'COW-01'] } }, async ({ lab }) => {
  const l = await lab();
  const { data, snapshot, image, frozen } = await freezeData(l);
  await data.fill(2);
  await expect(await image.sectors({ direct: false })).toHoldSectorsOf(frozen);
  await snapshot.destroy();

  const next = await l.takeSnapshot(data);
  await data.fill(3);
  await expect(await (await next.image(data)).sectors({ direct: false })).toHoldSectorsOf(filledSectors(dataDisk.sizeBytes, 2));
});

test('each small chunk is copied for itself', { meta: { spec: ['COW-01', 'COW-03'] } }, async ({ lab, random }) => {
  const l = await lab({ params: { chunk_minimum_shift: 12 } });
  const { data, image, frozen } = await freezeData(l);

  await fio(l.guest, { filename: data.path, rw: 'randwrite', bs: '512-256k', io_size: '16M', iodepth: 16, randseed: random.below(1e9) });

  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});

test('a chunk larger than one bio is copied whole', { meta: { spec: ['COW-01', 'COW-03'] } }, async ({ lab, random }) => {
  const l = await lab({ params: { chunk_minimum_shift: 22 } });
  const { data, image, frozen } = await freezeData(l);

  await fio(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k', io_size: '1M', iodepth: 4, randseed: random.below(1e9) });

  await expect(await image.sectors()).toHoldSectorsOf(frozen);
});
