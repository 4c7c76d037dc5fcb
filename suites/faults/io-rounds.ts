/** Rounds in which a request fails: each does one thing that the module sends requests for, and looks at what came of it. */
import { aio, CHUNK, eventually, expect, ifItComes, imagesOf, moduleReferences, sumsOf, whileSyncing, type Lab, type NthFault, type Snapshot } from '../fixtures/index.js';
import {
  DIR, FIRST, MIB, MKFS_EXT4, PIECE, SECTOR, expectGood, expectLost, expectNextRight, expectWritten, hold, imageIsRight,
  overwrite, remount, untilStored, type Arm, type Bench, type Held,
} from './io-bench.js';

/** Overwrites both chunks, and waits until they are stored or the fault has hit. */
async function copyWith(b: Bench, arm: Arm): Promise<{ held: Held; fault: NthFault }> {
  const held = await hold(b);
  b.store.forget();
  const fault = arm();
  await overwrite(b);
  // Of a file only its data: what its file system writes for itself is not to be counted.
  const script = b.limit === undefined ? 'sync' : `xfs_io -r -c "sync_range -w 0 0" ${b.storage}`;
  if (!fault.hit) await whileSyncing(b.l, untilStored(b, fault), script);
  return { held, fault };
}

/** A fault in reading the old data. Whoever tries again may do so until it is known whether the snapshot is lost. */
export async function roundOfCopy(b: Bench, arm: Arm): Promise<string> {
  const { held, fault } = await copyWith(b, arm);
  if (fault.hit) await eventually('the snapshot that is lost', () => b.data.snapshotInfo(), ({ error_name: lost }) => lost !== null);
  fault.end();
  await expectWritten(b);
  if (fault.hit) await expectLost(b, held, 'EIO');
  else await expectGood(b, held);
  await held.snapshot.destroy();
  await expectNextRight(b);
  return 'the write succeeded, the snapshot is lost by EIO, the next is right';
}

/** A fault in storing it. What a page cache could not write back is missed by who reads it: then that is the error. */
export async function roundOfStore(b: Bench, arm: Arm, errno = 'EIO'): Promise<string> {
  const { held, fault } = await copyWith(b, arm);
  const look = async () => ({ isRight: await imageIsRight(held), lost: (await b.data.snapshotInfo()).error_name });
  const { lost } = fault.hit ? await eventually('an image that is lost', look, (seen) => !seen.isRight || seen.lost !== null) : await look();
  fault.end();
  await expectWritten(b);
  if (!fault.hit) {
    await expectGood(b, held);
  } else if (lost !== null) {
    expect(['EIO', errno]).toContain(lost);
    await expectLost(b, held, lost);
  } else {
    await imageIsRight(held);
  }
  await held.snapshot.destroy();
  await expectNextRight(b);
  return `the write succeeded, the image is lost by ${lost ?? 'EIO'}, the next is right`;
}

/** Whether the image has to read the storage: the copies' memory is given back, and nothing of them is in the page cache. */
export async function readsStorage({ l, data, store }: Bench, { image }: Held): Promise<boolean> {
  // Others follow, so that a module that keeps the latest in memory keeps those.
  expect(await aio(data, [{ offset: 16 * CHUNK, length: 8 * CHUNK }])).toEqual([8 * CHUNK]);
  const reads = (): number => store.requests({ kind: 'read' }).length;
  for (const chunk of [FIRST, FIRST + 1]) {
    const before = reads();
    const look = async (): Promise<number> => {
      await dropCaches(l);
      await image.read(chunk * CHUNK, 4096);
      return reads();
    };
    const seen = await ifItComes(eventually('a read of the storage', look, (now) => now > before));
    if (seen === undefined) return false;
  }
  await dropCaches(l);
  return true;
}

async function dropCaches(l: Lab): Promise<void> {
  await l.sh('sync; echo 3 > /proc/sys/vm/drop_caches');
}

/** Reads the image, in which a request fails. The next reader gets all. The page cache of a storage tries once more by itself. */
export async function roundOfRead(b: Bench, held: Held, arm: Arm, mustFail: boolean): Promise<string> {
  const fault = arm();
  const isRight = await imageIsRight(held);
  fault.end();
  if (!fault.hit || mustFail) expect(isRight, 'the reader got an error if there was one').toBe(!fault.hit);
  await expectGood(b, held);
  await overwrite(b);
  await expectWritten(b);
  await expectGood(b, held);
  await held.snapshot.destroy();
  return `${isRight ? 'right' : 'EIO'} for the reader, right for the next`;
}

/** Answers what the call says: its errno, or 'success'. */
async function answerOf(call: Promise<unknown>): Promise<string> {
  return call.then(() => 'success', (error: { errno?: string }) => {
    if (!error.errno) throw error as unknown as Error;
    return error.errno;
  });
}

const PATCH = { offset: FIRST * CHUNK + 9 * SECTOR, length: 2 * SECTOR, byte: 0x77 };

/** The image has what was written to it, unless that was an error, and around that what was at the cut. */
async function expectPatched({ image, frozen }: Held, isWritten: boolean): Promise<void> {
  const seen = await image.sectorsAt(PIECE.offset, PIECE.length);
  const first = (PATCH.offset - PIECE.offset) / SECTOR;
  const written = sumsOf(Buffer.alloc(PATCH.length, PATCH.byte));
  const sums = frozen.sums.slice();
  sums.set(isWritten ? written : seen.sums.slice(first, first + written.length), first);
  await expect(seen).toHoldSectorsOf({ what: 'the cut, and what was written to the image', sums });
}

/** The data reaches the disk of the storage when it is written, or when the storage is flushed. */
export async function roundOfImageWrite(b: Bench, arm: Arm): Promise<string> {
  const held = await hold(b);
  const fault = arm();
  const [result] = await aio(held.image, [PATCH]);
  const flushed = await answerOf(b.l.device(b.storage).flush());
  fault.end();
  await dropCaches(b.l);
  const told = result === PATCH.length ? 'written' : `${result}`;
  const read = await answerOf(held.image.read(PATCH.offset, PATCH.length));
  const { error_name: lost } = await b.data.snapshotInfo();
  if (fault.hit === '') expect([told, flushed, read, lost]).toEqual(['written', 'success', 'success', null]);
  expect(['success', 'EIO']).toContain(read);
  if (lost !== null) await expectLost(b, held, 'EIO');
  else if (read === 'success') await expectPatched(held, told === 'written');
  await overwrite(b);
  await expectWritten(b);
  await held.snapshot.destroy();
  return `the writer got ${told}, the reader ${read}, ${lost === null ? 'and nothing else is wrong' : 'and the image is lost'}`;
}

export async function roundOfAdd(b: Bench, arm: Arm): Promise<string> {
  const snapshot = await b.l.createSnapshot({ storage: b.storage });
  const fault = arm();
  const answer = await answerOf(snapshot.add(b.data));
  fault.end();
  expect(fault.hit ? ['success', 'EIO', 'ENOSPC'] : ['success']).toContain(answer);
  if (answer !== 'success') await snapshot.add(b.data);
  await snapshot.take();
  const frozen = await b.data.sectorsAt(PIECE.offset, PIECE.length);
  await overwrite(b);
  await expectGood(b, { snapshot, frozen, image: await snapshot.image(b.data) });
  await snapshot.destroy();
  return `${answer}, then the same call succeeded`;
}

export const MOUNTED = '/mnt/second';

/** `second` is mounted: to freeze its file system takes writes. */
export async function roundOfTake(b: Bench, arm: Arm): Promise<string> {
  const { l, data } = b;
  const second = l.disk('second');
  await l.sh(`umount "$2" 2>/dev/null || true; mkdir -p "$2"; ${MKFS_EXT4} "$1"; mount "$1" "$2"; sync -f "$2"; echo data > "$2/file"`, second.path, MOUNTED);
  const snapshot = await l.createSnapshot({ storage: b.storage });
  await snapshot.add(data, second);
  const fault = arm();
  const answer = await answerOf(snapshot.take());
  fault.end();
  if (!fault.hit) expect(answer).toBe('success');
  const frozen = await data.sectorsAt(PIECE.offset, PIECE.length);
  // Who writes to a file system that is frozen waits.
  await l.guest.attempt(['/bin/sh', '-c', `echo more > ${MOUNTED}/more; sync -f ${MOUNTED}`]);
  // What the file system has lost is told to the next who writes to the device past it, as if that were lost: unless somebody asks.
  await l.sh('sync "$1" 2> /dev/null || true', second.path);
  expect(await aio(second, [{ offset: 80 * MIB, length: 4096 }])).toEqual([4096]);
  await l.sh('umount "$1"', MOUNTED);
  if (answer !== 'success') {
    expect(['EIO', 'EROFS', 'ENOSPC']).toContain(answer);
    expect(await imagesOf(l)).toEqual([]);
    await snapshot.take();
  }
  await overwrite(b);
  await expectWritten(b);
  await expectGood(b, { snapshot, frozen, image: await snapshot.image(data) });
  await snapshot.destroy();
  return answer === 'success' ? 'success, both images right' : `${answer}, then the same call succeeded`;
}

export async function roundOfCreate(b: Bench, arm: Arm): Promise<string> {
  await remount(b, 'XFS');
  await b.l.sh(': > "$1"; sync -f "$1"', b.storage);
  const references = await moduleReferences(b.l);
  const fault = arm();
  let made: Snapshot | undefined;
  const answer = await answerOf(b.l.createSnapshot({ storage: b.storage, limit: '8M' }).then((snapshot) => { made = snapshot; }));
  fault.end();
  if (!fault.hit) expect(answer).toBe('success');
  else expect(['EIO', 'success']).toContain(answer);
  await made?.destroy();
  expect(await moduleReferences(b.l)).toBe(references);
  await remount(b, 'XFS');
  await expectNextRight(b);
  return `${answer}, then the same call succeeded`;
}

/** Overwrites more than a portion: the file has to grow. If that fails the storage is full, or its file system has ended. */
export async function roundOfGrowth(b: Bench, arm: Arm): Promise<string> {
  await remount(b, 'XFS');
  const held = await hold(b);
  const fault = arm();
  b.byte = b.byte % 0xf0 + 1;
  expect(await aio(b.data, [{ offset: 0, length: 12 * CHUNK, byte: b.byte }]), 'the original\'s write').toEqual([12 * CHUNK]);
  await expectWritten(b);
  let errno: string | undefined;
  if (fault.hit) {
    // What could not grow may be enough still, until the last copy has been stored, or not.
    await held.snapshot.waitEvent().then(({ error_name }) => { errno = error_name; });
    expect(['ENOSPC', 'EIO']).toContain(errno);
    expect(await imageIsRight(held)).toBe(false);
  } else {
    await expectGood(b, held);
  }
  fault.end();
  await held.snapshot.destroy();
  await remount(b, 'XFS');
  await expectNextRight(b);
  return `the write succeeded, the snapshot is lost by ${errno}, the next is right`;
}

/** Nothing that the storage's file system says keeps a snapshot from going. */
export async function roundOfDestroy(b: Bench, arm: Arm): Promise<string> {
  await remount(b, 'XFS');
  const references = await moduleReferences(b.l);
  const held = await hold(b);
  b.store.forget();
  await overwrite(b);
  await expectGood(b, held);
  const fault = arm();
  await held.snapshot.destroy();
  fault.end();
  expect(await moduleReferences(b.l)).toBe(references);
  await expectWritten(b);
  await remount(b, 'XFS');
  await expectNextRight(b);
  return 'destroyed, the next is right';
}

/** What is stored through the page cache is at the disk when the file system is told to sync. */
export async function roundOfCachedStore(b: Bench, arm: Arm): Promise<string> {
  await remount(b, 'ext4 with data in its journal');
  const held = await hold(b);
  const old = (await b.data.read(FIRST * CHUNK, 2 * CHUNK)).filter((byte) => byte !== 0).length;
  const fault = arm();
  await overwrite(b);
  // Where in the file they are is the module's own affair; the rest of it is empty.
  await eventually('both copies in the file', async () => Number(await b.l.sh(`tr -d '\\000' < "$1" | wc -c`, b.storage)), (bytes) => bytes >= old);
  const synced = (await b.l.guest.attempt(['sync', '-f', DIR])).exitCode === 0;
  fault.end();
  await expectWritten(b);
  await dropCaches(b.l);
  const isRight = await imageIsRight(held);
  if (!fault.hit) expect([synced, isRight]).toEqual([true, true]);
  await held.snapshot.destroy();
  await remount(b, 'ext4 with data in its journal');
  await expectNextRight(b);
  return `the write succeeded, the image is ${isRight ? 'right' : 'EIO'}, the next is right`;
}
