/** Copying before writing holds where a chunk is not one request: small queue limits, chunks larger than a bio, devices that begin or
 *  end anywhere, large sectors.
 *  Method: the disk holds every read of the old data; another write goes through; the log shows each chunk read whole, once, in time. */
import { copyFaults } from '../oracle/copies.js';
import {
  aio, CHUNK, eventually, expect, expectFrozen, freezeSteered, ifItComes, makeLinear, makePartitions, startAio, test, whileSyncing, writeElsewhere,
  type Io, type Steered, type SteeredOptions,
} from '../fixtures/index.js';
import { holdReads, letReadsGo, pushOut } from './copying.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const DISK_SECTORS = 97 * 2048 + 3;

interface Geometry {
  readonly what: string;
  readonly options?: SteeredOptions;
  readonly before?: (s: Steered) => Promise<unknown>;
  readonly ios: readonly Io[];
  readonly vector?: number;
  /** Requests in which the old data is read, at least: no request is larger than the queue takes, or over a gap. */
  readonly reads: number;
}

const partition = { start: 2049 * SECTOR, length: (DISK_SECTORS - 2049) * SECTOR };

const geometries: readonly Geometry[] = [
  {
    what: 'a queue that takes 64 KiB at a time',
    before: ({ l, data }) => l.sh('echo 64 > "/sys/block/$1/queue/max_sectors_kb"', data.name),
    ios: [{ offset: 5 * CHUNK - 4096, length: 2 * 4096 }], reads: 8,
  },
  {
    what: 'chunks of 2 MiB, more than a bio of single pages takes',
    options: { chunk: 2 * MIB }, ios: [{ offset: 5 * MIB, length: 4096 }], reads: 1,
  },
  {
    what: 'chunks of 2 MiB on a queue that takes 128 KiB at a time',
    options: { chunk: 2 * MIB },
    before: ({ l, data }) => l.sh('echo 128 > "/sys/block/$1/queue/max_sectors_kb"', data.name),
    ios: [{ offset: 5 * MIB, length: 4096 }], reads: 16,
  },
  {
    what: 'a partition at an odd start, up to its partial last chunk',
    options: { make: async (l, disk) => ({ device: (await makePartitions(l, disk, [partition]))[0] as Steered['data'], start: 2049 }) },
    ios: [{ offset: 0, length: SECTOR }, { offset: partition.length - SECTOR, length: SECTOR }], reads: 2,
  },
  {
    what: 'a device-mapper device',
    options: { make: async (l, disk) => ({ device: await makeLinear(l, 'over', disk, DISK_SECTORS * SECTOR) }) },
    ios: [{ offset: 4 * CHUNK - 4096, length: 2 * 4096 }], reads: 1,
  },
  {
    what: 'a disk with sectors of 4 KiB',
    options: { on: 'four' }, ios: [{ offset: 4 * CHUNK - 4096, length: 2 * 4096 }, { offset: 16 * MIB + 2 * 4096, length: 4096 }], reads: 2,
  },
  {
    what: 'writes from scattered memory that the queue splits within a vector',
    before: ({ l, data }) => l.sh('echo 4 > "/sys/block/$1/queue/max_sectors_kb"', data.name),
    ios: [{ offset: 4 * CHUNK - 11 * SECTOR, length: 22 * SECTOR }], vector: 3 * SECTOR, reads: 128,
  },
];

for (const { what, options, before, ios, vector, reads } of geometries) {
  test(`old data is read whole, once and before the write: ${what}`, { meta: { spec: ['COW-02', 'COW-03'] } }, async ({ lab }) => {
    const s = await freezeSteered(lab, options);
    const { disk, data, layout } = s;
    await before?.(s);
    await writeElsewhere(s);
    const chunkOf = (offset: number): number => Math.floor(offset / SECTOR / layout.chunk);
    // None of the writes is longer than a chunk.
    const chunks = ios.flatMap(({ offset, length }) => [chunkOf(offset), chunkOf(offset + length - 1)]);
    const earlier = disk.requests({ kind: 'read' }).length;
    const hold = holdReads(s, chunks);

    const writer = startAio(data, ios, vector === undefined ? {} : { vector });
    await letReadsGo(s, hold, chunks, writer);
    expect(await writer.done).toEqual(ios.map(({ length }) => length));
    expect(disk.requests({ kind: 'read' }).length - earlier).toBeGreaterThanOrEqual(reads);
    expect(copyFaults(disk.requests(), layout)).toEqual([]);
    for (const { offset } of ios) await expectFrozen(s, chunkOf(offset), 2);
  });
}

test('under a load of any sizes at any places, each chunk is read once, whole and before its first write', { meta: { spec: ['COW-01', 'COW-02', 'COW-03'] } }, async ({ lab, random }) => {
  const s = await freezeSteered(lab, { fillAll: true });
  const frozen = await s.data.hostSectors();
  for (let round = 0; round < 6; round++) {
    const ios = Array.from({ length: 32 }, () => {
      const offset = random.below(DISK_SECTORS - 1);
      return { offset: offset * SECTOR, length: Math.min(1 + random.below(700), DISK_SECTORS - offset) * SECTOR };
    });
    const results = await aio(s.data, ios, { vector: (1 + random.below(16)) * SECTOR });
    expect(results).toEqual(ios.map(({ length }) => length));
  }
  expect(copyFaults(s.disk.requests(), s.layout)).toEqual([]);
  await expect(await s.image.sectors()).toHoldSectorsOf(frozen);
});

test('a partial last chunk that is stored late covers nothing of a chunk that was stored before', { meta: { spec: ['DIF-01', 'COW-01', 'COW-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const bytes = s.layout.capacity * SECTOR;
  const hold = s.store.hold({ kind: 'write' });
  expect(await aio(s.data, [{ offset: bytes - SECTOR, length: SECTOR }])).toEqual([SECTOR]);
  const late = await whileSyncing(s.l, hold.next());
  hold.close();
  expect(await aio(s.data, [{ offset: 3 * CHUNK, length: 3 * CHUNK }])).toEqual([3 * CHUNK]);
  // A module may store one copy at a time, and wait for that one.
  await ifItComes(eventually('the others on the storage', () => Promise.resolve(answeredWrites(s)), (sectors) => sectors >= 3 * CHUNK / SECTOR));
  late.release();
  await pushOut(s);
  await expectFrozen(s, 3, 3);
});

/** Sectors of the storage. */
function answeredWrites({ store }: Pick<Steered, 'store'>): number {
  return store.requests({ kind: 'write' }).reduce((sum, { sectors, answered }) => sum + (answered === undefined ? 0 : sectors), 0);
}
