/** Host and guest make the same sectors and the same sums of them, and a sector that is not what it says is told.
 *  Method: the guest's blkio, run here on files, against the oracle; known answers of xxHash; sectors mixed by hand. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTools } from '../../../vm/index.js';
import { hostSectors, parseSums, sumOf, sumsOf } from '../../fixtures/sectors.js';
import { describeSector, makeSector, SECTOR_BYTES } from '../../oracle/sector.js';
import { xxh32 } from '../../oracle/xxh32.js';

const HEADER_WORDS = 6;
const BIG = 2 ** 32;
let dir: string;
let blkio: (...argv: readonly string[]) => Promise<Buffer>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sectors-'));
  const program = join((await buildTools()).dir, 'blkio');
  blkio = async (...argv) => (await promisify(execFile)(program, argv, { encoding: 'buffer' })).stdout;
});
afterAll(() => rm(dir, { recursive: true }));

const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** The bytes of which xxHash's own tests know the sums (xsum_sanity_check.c). */
function sanityBytes(length: number): Uint8Array {
  let generator = 2654435761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(generator >> 56n);
    generator = BigInt.asUintN(64, generator * 11400714785074694797n);
    return byte;
  });
}

test.for([[16, 0x93ba3759], [512, 0xd485c30a], [4096, 0x20fc444f]] as const)('the sum of %i bytes is that of xxHash', ([length, sum]) => {
  expect(xxh32(new Uint32Array(sanityBytes(length).buffer))).toBe(sum);
});

test('blkio sums gives what xxHash gives, and what the host gives for a file of any number of sectors', async () => {
  const path = join(dir, 'sums');
  const data = sanityBytes(5 * SECTOR_BYTES);
  await writeFile(path, data);
  const seen = parseSums(await blkio('sums', path));
  expect(seen[0]).toBe(0xd485c30a);
  expect(seen).toEqual((await hostSectors('file', path)).sums);
  expect(parseSums(await blkio('sums', path, '512', '1024'))).toEqual(seen.slice(1, 3));
  // From any place in memory.
  const shifted = Uint8Array.of(0, ...data).subarray(1);
  expect(sumsOf(shifted)).toEqual(seen);
});

test.for([
  { device: 1, sector: 0, version: 1 }, { device: 7, sector: 2 * 2048 - 1, version: 3 }, { device: BIG - 1, sector: 9, version: BIG + 5 },
])('blkio fill writes the sectors of the oracle: $device, $sector, $version', async ({ device, sector, version }) => {
  const path = join(dir, 'filled');
  await writeFile(path, new Uint8Array(0));
  await blkio('fill', path, `${sector * SECTOR_BYTES}`, `${3 * SECTOR_BYTES}`, '--device', `${device}`, '--version', `${version}`);
  const written = (await readFile(path)).subarray(sector * SECTOR_BYTES);
  for (let n = 0; n < 3; n++) {
    const identity = { device, sector: sector + n, version };
    const seen = written.subarray(n * SECTOR_BYTES, (n + 1) * SECTOR_BYTES);
    expect(seen).toEqual(Buffer.from(bytesOf(makeSector(identity))));
    expect(describeSector(seen)).toBe(`device ${device} sector ${sector + n} version ${version}`);
    expect(sumsOf(seen)).toEqual(Uint32Array.of(sumOf(identity)));
  }
});

test.for([
  ['version', { device: 1, sector: 5, version: 1 }, { device: 1, sector: 5, version: 2 }],
  ['sector', { device: 1, sector: 5, version: 1 }, { device: 1, sector: 6, version: 1 }],
  ['device', { device: 1, sector: 5, version: 1 }, { device: 2, sector: 5, version: 1 }],
] as const)('sectors of another %s differ in every word of noise, so each mixture of two is told', ([, one, other]) => {
  const [a, b] = [makeSector(one), makeSector(other)];
  for (let word = HEADER_WORDS; word < a.length; word++) {
    expect(a[word]).not.toBe(b[word]);
    const mixed = a.slice();
    mixed.set(b.subarray(word), word);
    expect(describeSector(bytesOf(mixed)))
      .toBe(`torn sector that says device 1 sector 5 version 1, which is wrong at byte ${4 * word}`);
    expect(xxh32(mixed)).not.toBe(sumOf(one));
  }
});

test('one wrong byte is told, and so are zeroes and what is no sector of ours', () => {
  const bytes = bytesOf(makeSector({ device: 1, sector: 2, version: 3 }));
  bytes[SECTOR_BYTES - 1] = (bytes[SECTOR_BYTES - 1] as number) ^ 1;
  expect(describeSector(bytes)).toContain('torn sector that says device 1 sector 2 version 3, which is wrong at byte 508');
  expect(describeSector(new Uint8Array(SECTOR_BYTES))).toBe('zeroes');
  expect(describeSector(new Uint8Array(SECTOR_BYTES).fill(0xee))).toBe('foreign data eeeeeeeeeeeeeeee…');
});
