/** The image gives the old data at every stage of a copy, and a write never overtakes what the image reads from the device.
 *  Method: hold the image's read at the disk, or the copy's write at the storage, and do the other thing meanwhile. */
import { aio, CHUNK, expect, expectFrozen, freezeSteered, startAio, sumOf, sumsOf, test, untilStill, whileSyncing, writeElsewhere, type Steered } from '../fixtures/index.js';
import { changing, pushOut } from './copying.js';

const SECTOR = 512;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;

/** Of chunk 3 the image has these eight sectors as they were written to it, and the others as they were. */
async function expectOnlyWritten(s: Steered, offset: number, byte: number): Promise<void> {
  const first = (offset - at(3)) / SECTOR;
  const { sums } = await s.image.sectorsAt(at(3), CHUNK);
  const old = Array.from({ length: CHUNK / SECTOR }, (_, n) => sumOf({ device: 1, sector: at(3, n) / SECTOR, version: 1 }));
  expect([...sums.slice(0, first), ...sums.slice(first + 8)]).toEqual([...old.slice(0, first), ...old.slice(first + 8)]);
  expect(await s.image.read(offset, 8 * SECTOR)).toEqual(Buffer.alloc(8 * SECTOR, byte));
}

for (const [what, op] of [['write', (s: Steered) => startAio(s.data, [{ offset: at(3), length: CHUNK }]).done], ['discard', (s: Steered) => s.data.discard(at(3), CHUNK)]] as const) {
  test(`a ${what} does not overtake the image's read of the same chunk from the device`, { meta: { spec: ['IMG-02', 'COW-01', 'COW-03', 'COW-04'] } }, async ({ lab }) => {
    const s = await freezeSteered(lab);
    await writeElsewhere(s);
    const hold = s.disk.hold({ kind: 'read', sector: at(3) / SECTOR, sectors: CHUNK / SECTOR });
    const reading = expectFrozen(s, 3);
    const read = await hold.next();
    hold.close();
    const { sector, sectors } = read.request;

    const overwriting = op(s);
    // A module may copy the chunk meanwhile, and the change then has only the image's reader to wait for.
    await untilStill(s.l, 'blkio', overwriting);
    await writeElsewhere(s);
    expect(await aio(s.data, [{ offset: sector * SECTOR, length: 4096, byte: 0x55 }], { nowait: true }), 'it would have to wait').toEqual(['EAGAIN']);
    expect(s.disk.requests({ kind: changing, sector, sectors })).toEqual([]);

    read.release();
    await reading;
    await overwriting;
    const [change] = s.disk.requests({ kind: changing, sector, sectors });
    expect(change?.arrived).toBeGreaterThan(read.request.answered as number);
    await expectFrozen(s, 2, 3);
  });
}

test('an image answers while many reads of another device\'s image are stuck', { meta: { spec: ['SNP-05', 'IMG-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab, { with: 'second' });
  const second = await s.snapshot.image(s.l.disk('second'));
  const reads = Array.from({ length: 64 }, (_, n) => ({ op: 'read', offset: at(n % 8, n), length: 4096 } as const));
  const hold = s.disk.hold({ kind: 'read' });
  const reading = startAio(s.image, reads);
  await hold.next();
  await reading.submitted;
  for (let time = 0; time < 4; time++) expect(await aio(second, reads)).toEqual(reads.map(() => 4096));
  await expectFrozen({ image: second, layout: s.layout }, 3);
  hold.release();
  expect(await reading.done).toEqual(reads.map(() => 4096));
});

test('a write passes when the old data is in memory, and the image answers from there until it is stored', { meta: { spec: ['IMG-02', 'COW-01'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  // Whatever memory there is has been used before.
  await pushOut(s);
  const hold = s.store.hold({ kind: 'write' });
  expect(await startAio(s.data, [{ offset: at(3), length: CHUNK }]).done).toEqual([CHUNK]);
  await whileSyncing(s.l, hold.next());
  // Neither the device nor the storage has it.
  await expectFrozen(s, 3, 2);
  for (const [sector, sectors] of [[0, 1], [77, 5], [3, 8], [CHUNK / SECTOR - 9, 9]] as const) {
    const old = Uint32Array.from({ length: sectors }, (_, n) => sumOf({ device: 1, sector: at(3, sector + n) / SECTOR, version: 1 }));
    expect(sumsOf(await s.image.read(at(3, sector), sectors * SECTOR)), `${sectors} sectors from ${sector} on`).toEqual(old);
  }

  hold.release();
  await s.store.first({ kind: 'write' });
  await expectFrozen(s, 2, 3);
});

test('what is written to the image while its chunk is on the way to the storage stays', { meta: { spec: ['IMG-02', 'IMG-03'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.store.hold({ kind: 'write' });
  expect(await startAio(s.data, [{ offset: at(3), length: CHUNK }]).done).toEqual([CHUNK]);
  await whileSyncing(s.l, hold.next());
  const imageWrite = startAio(s.image, [{ offset: at(3, 8), length: 8 * SECTOR, byte: 0x77 }]);
  await untilStill(s.l, 'blkio', imageWrite.done);
  hold.release();
  expect(await imageWrite.done).toEqual([8 * SECTOR]);
  await pushOut(s);
  await expectOnlyWritten(s, at(3, 8), 0x77);
});

test('a stored chunk is read from the storage while later writes go on', { meta: { spec: ['IMG-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await startAio(s.data, [{ offset: at(3), length: CHUNK }]).done;
  await pushOut(s);
  const hold = s.store.hold({ kind: 'read' });
  const { index } = s.disk.requests().at(-1) as { index: number };
  const reading = expectFrozen(s, 3);
  // A module with memory for so many copies need not ask the storage.
  await Promise.race([hold.next(), reading]);
  expect(await startAio(s.data, [{ offset: at(3), length: CHUNK, byte: 1 }]).done).toEqual([CHUNK]);
  hold.release();
  await reading;
  expect(s.disk.requests({ kind: 'read', sector: at(3) / SECTOR, sectors: CHUNK / SECTOR }).filter((request) => request.index > index)).toEqual([]);
});

test('an image that is written while its chunk is being copied keeps the rest of the chunk as it was', { meta: { spec: ['IMG-02', 'IMG-03'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await writeElsewhere(s);
  const hold = s.disk.hold({ kind: 'read', sector: at(3) / SECTOR });
  const imageWrite = startAio(s.image, [{ offset: at(3, 8), length: 8 * SECTOR, byte: 0x77 }]);
  await writeElsewhere(s, imageWrite);
  const deviceWrite = startAio(s.data, [{ offset: at(3), length: CHUNK }]);
  await hold.next();
  await writeElsewhere(s, deviceWrite);
  expect(s.disk.requests({ kind: 'write', sector: at(3) / SECTOR, sectors: CHUNK / SECTOR })).toEqual([]);
  hold.release();
  expect(await deviceWrite.done).toEqual([CHUNK]);
  expect(await imageWrite.done).toEqual([8 * SECTOR]);
  await expectOnlyWritten(s, at(3, 8), 0x77);
  expect(await s.data.read(at(3), CHUNK)).toEqual(Buffer.alloc(CHUNK, 0xee));
});
