/** Rounds in which a request fails: each does one thing that the module sends requests for, and looks at what came of it. */
import { aio, CHUNK, eventually, expect, moduleReferences, sumsOf, type Lab, type Snapshot } from '../fixtures/index.js';
import {
  DIR, FIRST, MIB, MKFS_EXT4, PIECE, SECTOR, expectGood, expectLost, expectNextRight, expectWritten, hold, imageIsRight,
  overwrite, remount, untilStored, type Arm, type Bench, type Held,
} from './io-bench.js';

export async function roundOfCopy(b: Bench, arm: Arm, errno: string): Promise<string> {
  const held = await hold(b);
  b.store.forget();
  const fault = arm();
  await overwrite(b);
  if (!fault.hit) await untilStored(b, fault);
  fault.end();
  await expectWritten(b);
  if (fault.hit) await expectLost(b, held, errno);
  else await expectGood(b, held);
  await held.snapshot.destroy();
  await expectNextRight(b);
  return `the write succeeded, the snapshot is lost by ${errno}, the next is right`;
}

/** The copies' memory is given back, and nothing of them is in the page cache: the image has to read the storage. */
export async function untilReadFromStorage({ l, store }: Bench, { image }: Held): Promise<void> {
  for (const chunk of [FIRST, FIRST + 1]) {
    const reads = (): number => store.requests({ kind: 'read' }).length;
    const before = reads();
    await eventually('a read of the storage', async () => { await image.read(chunk * CHUNK, 4096); return reads(); }, (seen) => seen > before);
  }
  await dropCaches(l);
}

async function dropCaches(l: Lab): Promise<void> {
  await l.sh('echo 3 > /proc/sys/vm/drop_caches');
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

/** The image has what was written to it, and around that what was at the cut. */
async function expectPatched({ image, frozen }: Held): Promise<void> {
  const seen = await image.sectorsAt(PIECE.offset, PIECE.length);
  const first = (PATCH.offset - PIECE.offset) / SECTOR;
  const written = sumsOf(Buffer.alloc(PATCH.length, PATCH.byte));
  const sums = frozen.sums.slice();
  sums.set(written, first);
  await expect(seen).toHoldSectorsOf({ what: 'the cut, and what was written to the image', sums });
}

/** The data reaches the page cache of the storage when it is written, and its disk when that is flushed. */
export async function roundOfImageWrite(b: Bench, arm: Arm): Promise<string> {
  const held = await hold(b);
  const fault = arm();
  const [result] = await aio(held.image, [PATCH]);
  const flushed = await answerOf(b.l.device(b.storage).flush());
  fault.end();
  await dropCaches(b.l);
  const { error_name: lost } = await b.data.snapshotInfo();
  const told = result === PATCH.length ? 'written' : `${result}`;
  if (fault.hit === '') expect([told, flushed, lost]).toEqual(['written', 'success', null]);
  if (lost === null && told === 'written') {
    const isRead = await answerOf(held.image.read(PATCH.offset, PATCH.length));
    if (isRead === 'success') await expectPatched(held);
    else await expectLost(b, held, isRead);
  } else {
    await expectLost(b, held, 'EIO');
  }
  await overwrite(b);
  await expectWritten(b);
  await held.snapshot.destroy();
  return `the writer got ${told}, then the image is lost, the next is right`;
}

export async function roundOfAdd(b: Bench, arm: Arm): Promise<string> {
  const snapshot = await b.l.createSnapshot({ storage: b.storage });
  const fault = arm();
  const answer = await answerOf(snapshot.add(b.data));
  fault.end();
  expect(answer).toBe(fault.hit ? 'EIO' : 'success');
  if (fault.hit) await snapshot.add(b.data);
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
  expect(await aio(second, [{ offset: 80 * MIB, length: 4096 }])).toEqual([4096]);
  await l.sh('umount "$1"', MOUNTED);
  if (answer !== 'success') {
    expect(['EIO', 'EROFS', 'ENOSPC']).toContain(answer);
    expect(await l.sh('ls /dev | grep blksnap-image || true')).toBe('');
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
  const fault = arm();
  let made: Snapshot | undefined;
  const answer = await answerOf(b.l.createSnapshot({ storage: b.storage, limit: '8M' }).then((snapshot) => { made = snapshot; }));
  fault.end();
  if (!fault.hit) expect(answer).toBe('success');
  else expect(['EIO', 'success']).toContain(answer);
  await made?.destroy();
  expect(await moduleReferences(b.l)).toBe(1);
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
  const held = await hold(b);
  b.store.forget();
  await overwrite(b);
  await expectGood(b, held);
  const fault = arm();
  await held.snapshot.destroy();
  fault.end();
  expect(await moduleReferences(b.l)).toBe(1);
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
