/** A flush covers what came before it, also when that had to wait for a copy.
 *  Method: the disk's log, in which a flush must come after the answers of the writes that it covers; and a held flush, which its
 *  writer must wait for. */
import { CHUNK, expect, expectFrozen, freezeSteered, makeSteered, mountExt4, startAio, test, writeElsewhere } from '../fixtures/index.js';

const SECTOR = 512;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;

for (const option of ['sync', 'dsync'] as const) {
  test(`a write with O_${option.toUpperCase()} that waits for a copy ends after a flush that came after it`, { meta: { spec: ['FLT-13', 'COW-03', 'COW-09'] } }, async ({ lab }) => {
    const s = await freezeSteered(lab);
    await writeElsewhere(s);
    const copy = s.disk.hold({ kind: 'read', sector: at(3) / SECTOR });
    const flushes = s.disk.hold({ kind: 'flush' });
    const writer = startAio(s.data, [{ offset: at(3, 8), length: 4096 }], { [option]: true });
    let isDone = false;
    const done = writer.done.finally(() => { isDone = true; });
    await copy.next();
    await writeElsewhere(s, writer);
    expect(s.disk.requests({ kind: 'flush' })).toEqual([]);
    copy.release();

    const flush = await flushes.next();
    const [write] = s.disk.requests({ kind: 'write', sector: at(3, 8) / SECTOR });
    expect(flush.request.arrived).toBeGreaterThan(write?.answered as number);
    await writeElsewhere(s);
    expect(isDone, 'the writer was told before the flush').toBe(false);
    flushes.release();
    expect(await done).toEqual([4096]);
    await expectFrozen(s, 3);
  });
}

test('a flush of a held device ends when its disk has flushed', { meta: { spec: ['FLT-13', 'COW-09'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const flushes = s.disk.hold({ kind: 'flush' });
  let isDone = false;
  const done = s.data.flush().finally(() => { isDone = true; });
  await flushes.next();
  await writeElsewhere(s);
  expect(isDone, 'it was told so before').toBe(false);
  flushes.release();
  await done;
});

const JBD2_MAGIC = 0xc03b3998;
const COMMIT_BLOCK = 2;

test('a journal\'s commit, which is to flush before and after itself, does both although it waits for a copy', { meta: { spec: ['FLT-13', 'COW-09'] } }, async ({ lab }) => {
  // Chunks of one block: each block of the journal has to wait for a copy of its own.
  const { l, data, disk, layout } = await makeSteered(lab, { chunk: 4096 });
  await mountExt4(l, data, '/mnt/a', ['-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0']);
  await l.sh('sync');
  await l.takeSnapshot(data);
  disk.forget();
  disk.keepData = true;
  await l.sh('echo covered > /mnt/a/file; sync /mnt/a/file');

  const commits = disk.requests({ kind: 'write', where: ({ data: bytes }) => bytes?.readUInt32BE(0) === JBD2_MAGIC && bytes.readUInt32BE(4) === COMMIT_BLOCK });
  expect(commits).not.toEqual([]);
  for (const commit of commits) {
    expect(commit.sectors, 'it is a chunk of its own').toBe(layout.chunk);
    const [read] = disk.requests({ kind: 'read', sector: commit.sector, sectors: layout.chunk });
    expect(read?.answered, 'it has waited for its copy').toBeLessThan(commit.arrived);
    const covered = disk.requests({ kind: 'write', where: ({ arrived }) => arrived < commit.arrived });
    const last = Math.max(...covered.map(({ answered }) => answered ?? Infinity));
    const flushes = disk.requests({ kind: 'flush' });
    expect(flushes.some(({ arrived, answered }) => arrived > last && (answered ?? Infinity) < commit.arrived), 'a flush between what it commits and it').toBe(true);
    expect(flushes.some(({ arrived }) => arrived > (commit.answered as number)), 'a flush after it').toBe(true);
  }
});
