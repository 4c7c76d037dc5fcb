/** A vector of a bio may be many pages long: copies, marks, image reads and image writes go by its bytes, not by the number of vectors.
 *  Method: direct I/O from and to huge pages, where 2 MiB are one vector, and vectors of some pages that begin within a page. */
import {
  aio, attachProbe, expect, filledBytes, freezeData, HUGE_PAGE, loadProbe, patched, reserveHugePages, sumsOf, test,
} from '../fixtures/index.js';
import { CbtModel } from '../oracle/cbt.js';

const SECTOR = 512;
const KIB = 1024;
const CHUNK = 256 * KIB;
const CAPACITY = 16 * 1024 * KIB + 3 * SECTOR;
/** Vectors of four pages and a half, each a sector into its memory. */
const scattered = { huge: true, vector: 18 * KIB };

test('2 MiB from a huge page are one bio, which as vectors of a page would be two', { meta: { spec: ['FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  await reserveHugePages(l, 1);
  await loadProbe(l);
  const data = l.disk('data');
  const probe = await attachProbe(l, data);
  await probe.set('work');

  await data.write(3 * SECTOR, Buffer.alloc(HUGE_PAGE, 0xee), { huge: true });

  const writes = (await probe.log()).filter(({ kind }) => kind === 'write');
  expect(writes).toMatchObject([{ offset: 3 * SECTOR, length: HUGE_PAGE }]);
  expect(await data.read(3 * SECTOR, HUGE_PAGE)).toEqual(Buffer.alloc(HUGE_PAGE, 0xee));
});

const places = [
  { what: 'from the start of a chunk', offset: 4 * CHUNK },
  { what: 'from a sector within a chunk', offset: 4 * CHUNK + 77 * SECTOR },
  { what: 'to the end of the device', offset: CAPACITY - HUGE_PAGE },
];

for (const { what, offset } of places) {
  test(`a write of a huge page ${what} has its chunks copied and its blocks marked`, { meta: { spec: ['COW-01', 'COW-03', 'CBT-02'] } }, async ({ lab }) => {
    const l = await lab();
    await reserveHugePages(l, 1);
    const { data, snapshot, image, frozen } = await freezeData(l);
    const written = Buffer.alloc(HUGE_PAGE, 0xee);

    await data.write(offset, written, { huge: true });

    await expect(await image.sectors()).toHoldSectorsOf(frozen);
    await expect(await data.hostSectors()).toHoldSectorsOf(patched(frozen, offset, written));
    await snapshot.destroy();
    await l.takeSnapshot(data);
    const model = new CbtModel(CAPACITY);
    model.take();
    model.mark(offset, HUGE_PAGE);
    model.take();
    expect(await data.cbtMap()).toMark(model.frozen);
  });
}

test('writes from vectors of some pages have their chunks copied, and write what they hold', { meta: { spec: ['COW-01', 'COW-03'] } }, async ({ lab }) => {
  const l = await lab();
  await reserveHugePages(l, 2);
  const { data, image, frozen } = await freezeData(l);
  const [offset, length] = [4 * CHUNK - 7 * SECTOR, 3 * CHUNK + 11 * SECTOR];

  expect(await aio(data, [{ offset, length }], scattered)).toEqual([length]);

  await expect(await image.sectors()).toHoldSectorsOf(frozen);
  await expect(await data.hostSectors()).toHoldSectorsOf(patched(frozen, offset, Buffer.alloc(length, 0xee)));
});

test('an image is read into huge pages as into any memory: from the copies, from the device, and over the border of both', { meta: { spec: ['COW-01', 'IMG-02'] } }, async ({ lab }) => {
  const l = await lab();
  await reserveHugePages(l, 1);
  const { data, image, frozen } = await freezeData(l);
  // Copied, not copied, in turns.
  for (let chunk = 0; chunk < 64; chunk += 2) await data.write(chunk * CHUNK, Buffer.alloc(SECTOR, 0xee));

  for (const offset of [0, 5 * CHUNK + 3 * SECTOR, CAPACITY - HUGE_PAGE]) {
    const first = offset / SECTOR;
    const expected = frozen.sums.slice(first, first + HUGE_PAGE / SECTOR);
    expect(sumsOf(await image.read(offset, HUGE_PAGE, { huge: true })), `2 MiB at ${offset}`).toEqual(expected);
  }
});

test('an image is written from huge pages, whole and in vectors of some pages', { meta: { spec: ['IMG-03'] } }, async ({ lab }) => {
  const l = await lab();
  await reserveHugePages(l, 2);
  const { data, image, frozen } = await freezeData(l);
  await data.write(6 * CHUNK, Buffer.alloc(2 * CHUNK, 0xbb));
  const wholeAt = 4 * CHUNK + 5 * SECTOR;
  const whole = filledBytes(wholeAt, HUGE_PAGE, 2);
  const pieces = { offset: 20 * CHUNK - 7 * SECTOR, bytes: Buffer.alloc(2 * CHUNK + 11 * SECTOR, 0xee) };

  await image.write(wholeAt, whole, { huge: true });
  expect(await aio(image, [{ offset: pieces.offset, length: pieces.bytes.length }], scattered)).toEqual([pieces.bytes.length]);

  const expected = patched(patched(frozen, wholeAt, whole), pieces.offset, pieces.bytes);
  await expect(await image.sectors()).toHoldSectorsOf(expected);
  await expect(await data.hostSectors()).toHoldSectorsOf(patched(frozen, 6 * CHUNK, Buffer.alloc(2 * CHUNK, 0xbb)));
});
