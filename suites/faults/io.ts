/** Each request that the module issues, or has a file system issue for it, and what must hold when it fails: COW-06.
 *  An operation makes its bench once; each round takes a snapshot, lets one request fail, and looks at all that is promised. */
import type { DiskRequest, FaultLog, ProgrammableDisk, RequestMatch } from '../../vm/index.js';
import {
  aio, CHUNK, eventually, expect, failNth, faultDisks, moduleReferences, numbersOf, sumsOf,
  type Device, type IoFailure, type Lab, type LabOptions, type NthFault, type Rng, type Sectors, type Snapshot,
} from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
/** Chunks that the rounds overwrite, and those before and behind them: this piece of each image is looked at. */
const FIRST = 3;
const PIECE = { offset: (FIRST - 1) * CHUNK, length: 4 * CHUNK };
/** Two chunks, but for their first sectors. */
const WRITE = { offset: FIRST * CHUNK + 8 * SECTOR, length: 2 * CHUNK - 8 * SECTOR };
const ELSEWHERE = 8 * CHUNK;
/** Bytes of a request at most, so that each chunk takes several. */
const REQUEST_KIB = 64;

type MakeLab = (options?: LabOptions) => Promise<Lab>;

interface Bench {
  readonly l: Lab;
  readonly data: Device;
  /** The disk below `data`. */
  readonly disk: ProgrammableDisk;
  /** Below the storage. */
  readonly store: ProgrammableDisk;
  readonly storage: string;
  readonly limit?: string;
  byte: number;
}

/** Arms the fault of this round. */
type Arm = () => NthFault;

export interface IoOperation {
  readonly name: string;
  readonly spec: readonly string[];
  readonly failures: readonly IoFailure[];
  /** Requests there are at least. */
  readonly least: number;
  readonly bench: (lab: MakeLab) => Promise<Bench>;
  /** Where the requests come that are counted. */
  readonly on: (b: Bench) => ProgrammableDisk;
  readonly match: RequestMatch;
  /** Returns what came of it. */
  readonly round: (b: Bench, arm: Arm) => Promise<string>;
}

interface Held {
  readonly snapshot: Snapshot;
  readonly image: Device;
  /** The piece at the cut. */
  readonly frozen: Sectors;
}

/** Requests are the bios as they were sent, cut into pieces of REQUEST_KIB. */
async function makeLab(lab: MakeLab, params: Readonly<Record<string, number>> = {}): Promise<Lab> {
  const l = await lab({ disks: Object.values(faultDisks), params });
  const names = Object.values(faultDisks).map(({ name }) => l.disk(name).name);
  await l.sh(`for d; do echo 2 > "/sys/block/$d/queue/nomerges"; echo ${REQUEST_KIB} > "/sys/block/$d/queue/max_sectors_kb"; done`, ...names);
  return l;
}

async function makeBench(lab: MakeLab, store = 'store', params: Readonly<Record<string, number>> = {}): Promise<Bench> {
  const l = await makeLab(lab, params);
  const data = l.disk('data');
  await data.fill(1, { offset: 0, length: 12 * CHUNK });
  await l.attach(data);
  return { l, data, disk: l.programmable('data'), store: l.programmable(store), storage: l.disk(store).path, byte: 0x10 };
}

const DIR = '/mnt/storage';
/** Nothing is written later on that could have been written now. */
const MKFS_EXT4 = 'mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0';
/** What each kind of file system is made and mounted with. */
const fileSystems = {
  ext4: { mkfs: MKFS_EXT4, options: 'rw' },
  'ext4 with data in its journal': { mkfs: MKFS_EXT4, options: 'data=journal' },
  // Each of its changes is in its log when the call returns.
  XFS: { mkfs: 'mkfs.xfs -q -f', options: 'wsync' },
} as const;
type FileSystem = keyof typeof fileSystems;

/** The storage is a file on a file system of its own, made anew after each round: what failed may have ended it. */
async function makeFileBench(lab: MakeLab, store: string): Promise<Bench> {
  const b = await makeBench(lab, store, { diff_storage_minimum: 2 * MIB / SECTOR });
  b.l.defer(() => b.l.sh('umount "$1" 2>/dev/null || true', DIR));
  return { ...b, storage: `${DIR}/diff`, limit: '8M' };
}

async function remount({ l, store }: Bench, fs: FileSystem): Promise<void> {
  const { mkfs, options } = fileSystems[fs];
  await l.sh(`umount "$2" 2>/dev/null || true; mkdir -p "$2"; ${mkfs} "$1"; mount -o "$3" "$1" "$2"; sync -f "$2"`, l.disk(store.name).path, DIR, options);
}

async function hold(b: Bench): Promise<Held> {
  const frozen = await b.data.sectorsAt(PIECE.offset, PIECE.length);
  const snapshot = await b.l.takeSnapshot(b.data, { storage: b.storage, ...(b.limit ? { limit: b.limit } : {}) });
  return { snapshot, image: await snapshot.image(b.data), frozen };
}

/** Overwrites both chunks, and finds its data on the device. */
async function overwrite(b: Bench): Promise<void> {
  b.byte = b.byte % 0xf0 + 1;
  expect(await aio(b.data, [{ ...WRITE, byte: b.byte }]), 'the original\'s write').toEqual([WRITE.length]);
}

async function expectWritten(b: Bench): Promise<void> {
  const seen = await b.data.read(WRITE.offset, WRITE.length);
  expect(seen.equals(Buffer.alloc(WRITE.length, b.byte)), 'the original has what was written').toBe(true);
}

/** Resolves when both chunks are stored, or the fault has hit. */
async function untilStored({ store }: Bench, fault: NthFault): Promise<void> {
  const large = ({ kind, sectors, answered }: DiskRequest): boolean => kind === 'write' && sectors >= 8 && answered !== undefined;
  const sectors = (): number => store.requests({ where: large }).reduce((sum, request) => sum + request.sectors, 0);
  await store.first({ where: () => fault.hit !== '' || sectors() >= 2 * CHUNK / SECTOR });
}

async function expectImageRight({ image, frozen }: Held): Promise<void> {
  await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
}

/** Each read is right, or EIO. */
async function imageIsRight(held: Held): Promise<boolean> {
  const seen = await held.image.sectorsAt(PIECE.offset, PIECE.length).catch((error: { errno?: string }) => {
    if (error.errno !== 'EIO') throw error as Error;
    return undefined;
  });
  if (seen) await expect(seen).toHoldSectorsOf(held.frozen);
  return seen !== undefined;
}

/** The snapshot is lost and says so once, and the device carries on as if there were none. */
async function expectLost(b: Bench, { snapshot, image }: Held, errno: string): Promise<void> {
  const { l, data, disk } = b;
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, data), error_name: errno });
  await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  expect(await data.snapshotInfo()).toMatchObject({ error_name: errno });
  for (const chunk of [FIRST, FIRST + 1, 6]) await expect(image.read(chunk * CHUNK, SECTOR)).rejects.toMatchObject({ errno: 'EIO' });
  const before = disk.requests({ kind: 'read' }).length;
  expect(await aio(data, [{ offset: ELSEWHERE, length: 4096, byte: b.byte }])).toEqual([4096]);
  expect(disk.requests({ kind: 'read' }).length, 'nothing is copied any more').toBe(before);
}

async function expectGood({ data }: Bench, held: Held): Promise<void> {
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(held.snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  await expectImageRight(held);
}

/** Nothing of the round is left: a snapshot of the same device is right from its beginning to its end. */
async function expectNextRight(b: Bench): Promise<void> {
  const held = await hold(b);
  await overwrite(b);
  await expectGood(b, held);
  await held.snapshot.destroy();
}

/** A round in which the snapshot is lost, by `errno`, if the fault hits. */
async function roundOfCopy(b: Bench, arm: Arm, errno: string): Promise<string> {
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
async function untilReadFromStorage({ l, store }: Bench, { image }: Held): Promise<void> {
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
async function roundOfRead(b: Bench, held: Held, arm: Arm, mustFail: boolean): Promise<string> {
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
async function roundOfImageWrite(b: Bench, arm: Arm): Promise<string> {
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

async function roundOfAdd(b: Bench, arm: Arm): Promise<string> {
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

const MOUNTED = '/mnt/second';

/** `second` is mounted: to freeze its file system takes writes. */
async function roundOfTake(b: Bench, arm: Arm): Promise<string> {
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

async function roundOfCreate(b: Bench, arm: Arm): Promise<string> {
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
async function roundOfGrowth(b: Bench, arm: Arm): Promise<string> {
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
async function roundOfDestroy(b: Bench, arm: Arm): Promise<string> {
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
async function roundOfCachedStore(b: Bench, arm: Arm): Promise<string> {
  await remount(b, 'ext4 with data in its journal');
  const held = await hold(b);
  const fault = arm();
  await overwrite(b);
  await eventually('both copies stored or lost', () => b.l.sh('stat -c %b "$1"', DIR), () => true);
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

const store = ({ store: disk }: Bench): ProgrammableDisk => disk;
const original = ({ disk }: Bench): ProgrammableDisk => disk;
const anyWrite: RequestMatch = { kind: ['write', 'flush', 'write-zeroes', 'discard'] };
/** Not the chunks themselves. */
const small: RequestMatch = { ...anyWrite, where: ({ sectors }) => sectors < 64 };
const large: RequestMatch = { kind: 'write', where: ({ sectors }) => sectors >= 64 };

export const operations: readonly IoOperation[] = [
  {
    name: 'first copy', spec: ['COW-06', 'EVT-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8,
    bench: (lab) => makeBench(lab), on: original, match: { kind: 'read' },
    round: (b, arm) => roundOfCopy(b, arm, 'EIO'),
  },
  {
    name: 'store', spec: ['COW-06', 'EVT-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8,
    bench: (lab) => makeBench(lab), on: store, match: { kind: 'write' },
    round: (b, arm) => roundOfCopy(b, arm, 'EIO'),
  },
  {
    // A SCSI disk says of what went wrong that it was its space.
    name: 'store on SCSI', spec: ['COW-06', 'EVT-02'], failures: ['ENOSPC'], least: 8,
    bench: (lab) => makeBench(lab, 'pulledstore'), on: store, match: { kind: 'write' },
    round: (b, arm) => roundOfCopy(b, arm, 'ENOSPC'),
  },
  {
    name: 'store in a file on ext4', spec: ['COW-06', 'DIF-05'], failures: ['EIO', 'short'], least: 8,
    bench: (lab) => makeFileBench(lab, 'store'), on: store, match: large,
    round: async (b, arm) => {
      await remount(b, 'ext4');
      return roundOfCopy(b, arm, 'EIO');
    },
  },
  {
    name: 'store through the page cache', spec: ['COW-06', 'DIF-05'], failures: ['EIO', 'short'], least: 4,
    bench: (lab) => makeFileBench(lab, 'store'), on: store, match: anyWrite,
    round: roundOfCachedStore,
  },
  {
    name: 'image read from the original', spec: ['COW-06', 'IMG-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 16,
    bench: (lab) => makeBench(lab), on: original, match: { kind: 'read' },
    round: async (b, arm) => roundOfRead(b, await hold(b), arm, true),
  },
  {
    name: 'image read from the storage', spec: ['COW-06', 'DIF-05', 'IMG-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8,
    bench: (lab) => makeBench(lab), on: store, match: { kind: 'read' },
    round: async (b, arm) => {
      const held = await hold(b);
      await overwrite(b);
      await untilReadFromStorage(b, held);
      return roundOfRead(b, held, arm, false);
    },
  },
  {
    name: 'image write', spec: ['COW-06', 'IMG-03'], failures: ['EIO', 'ENOSPC', 'short'], least: 5,
    bench: (lab) => makeBench(lab), on: store, match: anyWrite,
    round: roundOfImageWrite,
  },
  {
    name: 'add', spec: ['SNP-08', 'DIF-04'], failures: ['EIO', 'ENOSPC', 'short'], least: 4,
    bench: (lab) => makeBench(lab), on: store, match: anyWrite,
    round: roundOfAdd,
  },
  {
    name: 'take', spec: ['SNP-08'], failures: ['EIO', 'short'], least: 4,
    bench: async (lab) => {
      const b = await makeBench(lab);
      await b.l.attach(b.l.disk('second'));
      b.l.defer(() => b.l.sh('umount "$1" 2>/dev/null || true', MOUNTED));
      return b;
    },
    on: ({ l }) => l.programmable('second'), match: anyWrite,
    round: roundOfTake,
  },
  {
    name: 'create', spec: ['SNP-08', 'DIF-05'], failures: ['EIO', 'short'], least: 1,
    bench: (lab) => makeFileBench(lab, 'large'), on: store, match: anyWrite,
    round: roundOfCreate,
  },
  {
    name: 'growth', spec: ['COW-06', 'DIF-02', 'DIF-03'], failures: ['EIO', 'ENOSPC', 'short'], least: 1,
    bench: (lab) => makeFileBench(lab, 'large'), on: store, match: small,
    round: roundOfGrowth,
  },
  {
    name: 'destroy', spec: ['DIF-06', 'SNP-05'], failures: ['EIO', 'short'], least: 1,
    bench: (lab) => makeFileBench(lab, 'large'), on: store, match: anyWrite,
    round: roundOfDestroy,
  },
];

/** One request after the other fails, in each way, until a round meets no fault. */
export async function failEach(op: IoOperation, lab: MakeLab, faults: FaultLog): Promise<void> {
  const b = await op.bench(lab);
  for (const failure of op.failures) {
    let nth = 1;
    for (; await failOne(op, b, nth, failure, faults); nth++) {
      if (nth > 200) throw new Error(`${op.name}: more requests than can be`);
    }
    expect(nth - 1, `requests that failed with ${failure}`).toBeGreaterThanOrEqual(op.least);
  }
}

/** One request fails: which, and in which way, is up to the seed. */
export async function failSome(op: IoOperation, lab: MakeLab, faults: FaultLog, random: Rng): Promise<void> {
  const nth = 1 + random.below(op.least);
  const failure = op.failures[random.below(op.failures.length)] as IoFailure;
  expect(await failOne(op, await op.bench(lab), nth, failure, faults), `request ${nth} was there to fail`).toBe(true);
}

/** Returns whether there was such a request. */
async function failOne(op: IoOperation, b: Bench, nth: number, failure: IoFailure, faults: FaultLog): Promise<boolean> {
  let fault: NthFault | undefined;
  const verdict = await op.round(b, () => {
    fault = failNth(op.on(b), op.match, nth, failure);
    return fault;
  });
  if (!fault) throw new Error(`${op.name}: the round had no fault`);
  if (!fault.hit) return false;
  faults.record({ kind: 'io', operation: op.name, point: `request ${nth} ${failure}`, hit: fault.hit, verdict });
  return true;
}
