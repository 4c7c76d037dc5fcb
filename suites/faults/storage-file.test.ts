/** A difference storage that is taken apart under the snapshot: the image has errors, never other data, and the device has what was written.
 *  Method: chunks are known to be stored; the file is cut, or the disk below it lies or fails; then device, image and destroy are looked at. */
import { aio, CHUNK, expect, filledSectors, freezeSteered, limit, startAio, test, whileSyncing } from '../fixtures/index.js';
import { expectTold, fileLab, fileSystems, lookAtChunks, overwrite, SECTOR, storeInFile } from './storage-file.js';

const cuts: readonly { readonly what: string; readonly bytes: number }[] = [
  { what: 'to nothing', bytes: 0 },
  { what: 'to a byte in the middle', bytes: CHUNK + 1001 },
];

for (const [fs, mount] of Object.entries(fileSystems)) {
  for (const { what, bytes } of cuts) {
    test(`a file on ${fs} that is cut ${what} serves no holes as old data`, { timeout: limit(120_000), meta: { spec: ['COW-06', 'DIF-05'] } }, async ({ lab, faults }) => {
      const l = await lab(fileLab);
      const stored = await storeInFile(l, await mount(l));
      const { data, snapshot, file } = stored;
      const before = await l.sh('stat -c %s "$1"', file);

      await l.sh('truncate -s "$2" "$1"', file, `${bytes}`);
      // What is stored from now on may lie behind the cut, and would make the file long again.
      expect(await overwrite(data, 6, 4)).toEqual([4096, 4096, 4096, 4096]);

      const verdict = await lookAtChunks(stored, [0, 1, 2, 3, 6, 9, 12]);
      await expectTold(stored);
      for (const chunk of [0, 3, 6, 9]) expect(await data.read(chunk * CHUNK, 4096)).toEqual(Buffer.alloc(4096, 0xee));
      await snapshot.destroy();
      // A file system may keep a block for itself.
      expect(Number(await l.sh('stat -c %b "$1"', file))).toBeLessThanOrEqual(4096 / SECTOR);
      faults.record({ kind: 'io', operation: 'cut of the storage', point: `${fs}, ${what}`, hit: `truncate from ${before} to ${bytes} bytes`, verdict });
    });
  }
}

test('a file that was cut is not read again, though it is as long as before', { meta: { spec: ['COW-06', 'DIF-05'] } }, async ({ lab, faults }) => {
  const l = await lab(fileLab);
  const stored = await storeInFile(l, await fileSystems['ext4']!(l));
  const size = await l.sh('stat -c %s "$1"', stored.file);
  await l.sh('truncate -s 0 "$1"', stored.file);
  const short = await lookAtChunks(stored, [0]);
  await l.sh('truncate -s "$2" "$1"', stored.file, size);
  const verdict = `${short}; then ${await lookAtChunks(stored, [0, 1, 2, 3])}`;
  await stored.snapshot.destroy();
  faults.record({ kind: 'io', operation: 'cut of the storage', point: 'ext4, and long again', hit: `truncate from ${size} bytes and back`, verdict });
});

// Without sums of its own the module cannot tell such a hole from data: the image is its owner's loss, and nobody else's.
for (const fs of Object.keys(fileSystems)) {
  test(`holes punched into the file on ${fs} hurt nothing but the image`, { meta: { spec: ['COW-06', 'COW-09'] } }, async ({ lab, faults }) => {
    const l = await lab(fileLab);
    const { data, snapshot, file } = await storeInFile(l, await fileSystems[fs]!(l));
    const blocks = await l.sh('stat -c %b "$1"; xfs_io -c "fpunch 0 $(stat -c %s "$1")" "$1"; stat -c %b "$1"', file);
    const [had, has] = blocks.split('\n').map(Number) as [number, number];
    expect(had - has).toBeGreaterThanOrEqual(2048);
    expect(await overwrite(data, 6, 4)).toEqual([4096, 4096, 4096, 4096]);
    await snapshot.destroy();
    await data.fill(2);
    await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(await data.size(), 2));
    faults.record({ kind: 'io', operation: 'hole in the storage', point: fs, hit: `${had - has} blocks`, verdict: 'the device has what was written, destroy succeeds' });
  });
}

test('a disk that says it has stored a chunk and has not hurts nothing but that chunk of the image', { meta: { spec: ['COW-06', 'COW-09'] } }, async ({ lab, faults }) => {
  const s = await freezeSteered(lab);
  const hold = s.store.hold({ kind: 'write' });
  const writer = startAio(s.data, [{ offset: 3 * CHUNK, length: 4096 }]);
  const held = await whileSyncing(s.l, hold.next());
  held.forge();
  hold.release();
  expect(await writer.done).toEqual([4096]);
  expect(await aio(s.data, [{ offset: 5 * CHUNK, length: 4096 }])).toEqual([4096]);
  expect(await s.data.read(3 * CHUNK, 4096)).toEqual(Buffer.alloc(4096, 0xee));
  await expect(await s.image.sectorsAt(5 * CHUNK, CHUNK)).toHoldSectorsOf({
    what: 'version 1', sums: filledSectors(6 * CHUNK, 1).sums.slice(5 * CHUNK / SECTOR),
  });
  await s.snapshot.destroy();
  faults.record({
    kind: 'io', operation: 'store write that is a lie', point: '1',
    hit: `write of sectors ${held.request.sector}+${held.request.sectors}`, verdict: 'the device and the next chunk are right',
  });
});

test('a write to the image that is lost on its way to the storage never reads as what was there before', {
  meta: { spec: ['IMG-03', 'DIF-05'] },
}, async ({ lab, faults, skip }) => {
  const s = await freezeSteered(lab);
  // The chunk is stored, and what is written to it may be in the page cache of the storage.
  await s.image.write(3 * CHUNK, Buffer.alloc(4096, 0x77));
  expect(await s.image.read(3 * CHUNK, 4096)).toEqual(Buffer.alloc(4096, 0x77));
  const written = s.store.requests({ kind: 'write' }).length;
  s.store.fail({ kind: 'write' }, 'EIO');
  await s.l.sh('sync; echo 3 > /proc/sys/vm/drop_caches');
  const lost = s.store.requests({ kind: 'write' }).slice(written);
  if (lost.length === 0) {
    expect(await s.image.read(3 * CHUNK, 4096)).toEqual(Buffer.alloc(4096, 0x77));
    skip('this module has nothing to write back');
  }

  await expect(s.image.read(3 * CHUNK, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  await expect(s.image.write(3 * CHUNK, Buffer.alloc(4096, 0x78))).rejects.toMatchObject({ errno: 'EIO' });
  expect(await aio(s.data, [{ offset: 5 * CHUNK, length: 4096 }])).toEqual([4096]);
  await s.snapshot.destroy();
  faults.record({ kind: 'io', operation: 'image write', point: 'write-back', hit: lost.map(({ sector, sectors }) => `write of sectors ${sector}+${sectors}`).join(', '), verdict: 'EIO from then on' });
});

test('a write to the image whose chunk cannot be stored is an error, at once or when it is read', {
  meta: { spec: ['IMG-03', 'COW-06'] },
}, async ({ lab, faults, skip }) => {
  const s = await freezeSteered(lab);
  s.store.fail({ kind: 'write' }, 'EIO');
  const told = await s.image.write(3 * CHUNK, Buffer.alloc(4096, 0x77)).then(() => 'success', (error: { errno?: string }) => error.errno);
  expect(['success', 'EIO']).toContain(told);
  await s.l.sh('sync; echo 3 > /proc/sys/vm/drop_caches');
  const [failed] = s.store.requests({ kind: 'write' });
  if (!failed) return skip('this module keeps in memory what is written to the image');

  await expect(s.image.read(3 * CHUNK, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  await expectTold(s);
  faults.record({
    kind: 'io', operation: 'image write', point: 'store of its chunk', hit: `write of sectors ${failed.sector}+${failed.sectors}`, verdict: `${told} for the writer, EIO for the reader`,
  });
});
