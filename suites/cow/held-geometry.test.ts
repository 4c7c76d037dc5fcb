/** Copying before writing holds where a chunk is not one request: small queue limits, chunks larger than a bio, devices that begin or
 *  end anywhere, large sectors.
 *  Method: the disk holds every read of the old data; another write goes through; the log shows each chunk read whole, once, in time. */
import { copyFaults } from '../oracle/copies.js';
import {
  aio, CHUNK, expect, expectFrozen, freezeSteered, makeLinear, makePartitions, startAio, test, writeElsewhere, type Io, type Steered, type SteeredOptions,
} from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const DISK_SECTORS = 97 * 2048 + 3;
/** QEMU has at most 16 in flight, and does not pass on another write while they are held. */
const IN_FLIGHT_MAX = 12;
const changing = ['write', 'discard', 'write-zeroes'] as const;

interface Geometry {
  readonly what: string;
  readonly options?: SteeredOptions;
  readonly before?: (s: Steered) => Promise<unknown>;
  readonly ios: readonly Io[];
  readonly vector?: number;
  /** Requests in which the old data is read, at least. */
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
    what: 'chunks of 2 MiB, which are two bios',
    options: { chunk: 2 * MIB }, ios: [{ offset: 5 * MIB, length: 4096 }], reads: 2,
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
    ios: [{ offset: 4 * CHUNK - 4096, length: 2 * 4096 }], reads: 2,
  },
  {
    what: 'a disk with sectors of 4 KiB',
    options: { on: 'four' }, ios: [{ offset: 4 * CHUNK - 4096, length: 2 * 4096 }, { offset: 16 * MIB + 2 * 4096, length: 4096 }], reads: 3,
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
    const untouched = (layout.capacity - 8 * layout.chunk) - (layout.capacity % layout.chunk);
    const isOld = { kind: 'read', where: ({ sector }: { sector: number }) => Math.abs(sector - (layout.start ?? 0) - untouched) >= layout.chunk } as const;
    const hold = disk.hold(isOld);

    const writer = startAio(data, ios, vector === undefined ? {} : { vector });
    for (let n = 0; n < Math.min(reads, IN_FLIGHT_MAX); n++) await hold.next();
    await writer.submitted;
    if (reads < IN_FLIGHT_MAX) await writeElsewhere(s);
    expect(disk.requests({ kind: changing, where: ({ sector }) => ios.some(({ offset, length }) => (
      sector >= (layout.start ?? 0) + offset / SECTOR && sector < (layout.start ?? 0) + (offset + length) / SECTOR)) })).toEqual([]);

    for (const held of [...hold.caught].reverse()) held.release();
    hold.release();
    expect(await writer.done).toEqual(ios.map(({ length }) => length));
    expect(disk.requests(isOld).length).toBeGreaterThanOrEqual(reads);
    expect(copyFaults(disk.requests(), layout)).toEqual([]);
    for (const { offset } of ios) await expectFrozen(s, Math.floor(offset / SECTOR / layout.chunk), 2);
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
