/** No change reaches the device before the old data of its whole chunks has been read, whatever kind of change it is.
 *  Method: the disk holds the reads of the old data. While they are held, another write goes all the way through; then the disk
 *  lets the reads go, the last first. Its log must show each sector of each chunk read once, and each change after all reads of its
 *  chunks. */
import { copyFaults } from '../oracle/copies.js';
import { aio, CHUNK, expect, expectFrozen, freezeSteered, startAio, test, writeElsewhere, type AioOptions, type Device, type Io, type Steered } from '../fixtures/index.js';
import { changing, holdReads, letReadsGo } from './copying.js';

const SECTOR = 512;

interface Change {
  readonly what: string;
  /** Chunks that it touches. */
  readonly chunks: readonly number[];
  readonly spec?: readonly string[];
  /** Resolves when the guest's program is through. */
  readonly run: (s: Steered) => { submitted: Promise<void>; done: Promise<unknown> };
}

const io = (what: string, chunks: readonly number[], ios: readonly Io[], options: AioOptions = {}): Change => ({
  what, chunks, run: ({ data }) => startAio(data, ios, options),
});

/** A command of its own: that it has come as far as the disk is all that tells of it. */
const command = (what: string, chunks: readonly number[], run: (data: Device) => Promise<unknown>, spec?: readonly string[]): Change => ({
  what, chunks, ...(spec ? { spec } : {}), run: ({ data }) => ({ submitted: Promise.resolve(), done: run(data) }),
});

const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;
const LAST = 97 * 4;

const changes: readonly Change[] = [
  io('a sector', [3], [{ offset: at(3, 77), length: SECTOR }]),
  io('a whole chunk', [3], [{ offset: at(3), length: CHUNK }]),
  io('a write with O_SYNC', [3], [{ offset: at(3, 8), length: 4096 }], { sync: true }),
  io('a write with O_DSYNC, which is FUA,', [3], [{ offset: at(3, 8), length: 4096 }], { dsync: true }),
  io('a write over a border', [3, 4], [{ offset: at(4, -1), length: 2 * SECTOR }]),
  io('a write of three chunks and two parts', [3, 4, 5, 6, 7], [{ offset: at(3, 100), length: 4 * CHUNK }]),
  io('a write to the last chunk, of three sectors,', [LAST], [{ offset: at(LAST, 1), length: SECTOR }]),
  io('a write from scattered memory, a border within a vector,', [3, 4], [{ offset: at(4, -4), length: 9 * SECTOR }], { vector: 3 * SECTOR }),
  io('eight writes to one chunk at once', [3], Array.from({ length: 8 }, (_, n) => ({ offset: at(3, 16 * n), length: 8 * SECTOR }))),
  io('writes that touch each other\'s chunks', [3, 4, 5], [
    { offset: at(4, -8), length: 16 * SECTOR }, { offset: at(5, -8), length: 16 * SECTOR }, { offset: at(4, 100), length: SECTOR }]),
  command('a buffered write that is synced', [3], (data) => data.write(at(3, 8), new Uint8Array(4096).fill(0xee), { direct: false, sync: true })),
  command('a discard within a chunk', [3], (data) => data.discard(at(3, 8), 4096), ['COW-05']),
  command('a discard of three chunks and two parts', [3, 4, 5, 6, 7], (data) => data.discard(at(3, 256), 4 * CHUNK), ['COW-05']),
  command('zeroes written without data', [3, 4], (data) => data.zeroout(at(3, 8), CHUNK), ['COW-05']),
];

for (const { what, chunks, spec, run } of changes) {
  test(`${what} does not reach the device before the old data of its chunks is read`, { meta: { spec: ['COW-03', ...(spec ?? [])] } }, async ({ lab }) => {
    const s = await freezeSteered(lab);
    const { disk, layout } = s;
    await writeElsewhere(s);
    const reads = holdReads(s, chunks);

    const change = run(s);
    await letReadsGo(s, reads, chunks, change);
    await change.done;
    expect(disk.requests({ kind: changing, sector: (chunks[0] as number) * layout.chunk, sectors: chunks.length * layout.chunk })).not.toEqual([]);
    expect(copyFaults(disk.requests(), layout)).toEqual([]);
    await expectFrozen(s, chunks[0] as number, chunks.length);
  });
}

test('a chunk is read once in all the hold, however often and by whom it is overwritten', { meta: { spec: ['COW-03'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await writeElsewhere(s);
  const reads = holdReads(s, [3]);
  const writers = [0, 1, 2, 3].map((n) => startAio(s.data, [{ offset: at(3, 64 * n), length: 32 * SECTOR }, { offset: at(3, 32), length: SECTOR }]));
  await letReadsGo(s, reads, [3], ...writers);
  for (const writer of writers) await writer.done;

  for (let round = 0; round < 3; round++) await aio(s.data, [{ offset: at(3), length: CHUNK }]);
  expect(copyFaults(s.disk.requests(), s.layout)).toEqual([]);
});
