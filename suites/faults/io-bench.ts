/** What the rounds of io-rounds.ts work on: a device with a snapshot, its storage, and what must be true of both. */
import type { DiskRequest, ProgrammableDisk, RequestMatch } from '../../vm/index.js';
import {
  aio, CHUNK, expect, faultDisks, numbersOf, type Device, type IoFailure, type Lab, type LabOptions, type NthFault,
  type Sectors, type Snapshot,
} from '../fixtures/index.js';

export const SECTOR = 512;
export const MIB = 1024 * 1024;
/** Chunks that the rounds overwrite, and those before and behind them: this piece of each image is looked at. */
export const FIRST = 3;
export const PIECE = { offset: (FIRST - 1) * CHUNK, length: 4 * CHUNK };
/** Two chunks, but for their first sectors. */
const WRITE = { offset: FIRST * CHUNK + 8 * SECTOR, length: 2 * CHUNK - 8 * SECTOR };
const ELSEWHERE = 8 * CHUNK;
/** Bytes of a request at most, so that each chunk takes several. */
const REQUEST_KIB = 64;

export type MakeLab = (options?: LabOptions) => Promise<Lab>;

export interface Bench {
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
export type Arm = () => NthFault;

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

export interface Held {
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

export async function makeBench(lab: MakeLab, store = 'store', params: Readonly<Record<string, number>> = {}): Promise<Bench> {
  const l = await makeLab(lab, params);
  const data = l.disk('data');
  await data.fill(1, { offset: 0, length: 12 * CHUNK });
  await l.attach(data);
  return { l, data, disk: l.programmable('data'), store: l.programmable(store), storage: l.disk(store).path, byte: 0x10 };
}

export const DIR = '/mnt/storage';
/** Nothing is written later on that could have been written now. */
export const MKFS_EXT4 = 'mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0';
/** What each kind of file system is made and mounted with. */
const fileSystems = {
  ext4: { mkfs: MKFS_EXT4, options: 'rw' },
  'ext4 with data in its journal': { mkfs: MKFS_EXT4, options: 'data=journal' },
  // Each of its changes is in its log when the call returns.
  XFS: { mkfs: 'mkfs.xfs -q -f', options: 'wsync' },
} as const;
type FileSystem = keyof typeof fileSystems;

/** The storage is a file on a file system of its own, made anew after each round: what failed may have ended it. */
export async function makeFileBench(lab: MakeLab, store: string): Promise<Bench> {
  const b = await makeBench(lab, store, { diff_storage_minimum: 2 * MIB / SECTOR });
  b.l.defer(() => b.l.sh('umount "$1" 2>/dev/null || true', DIR));
  return { ...b, storage: `${DIR}/diff`, limit: '8M' };
}

export async function remount({ l, store }: Bench, fs: FileSystem): Promise<void> {
  const { mkfs, options } = fileSystems[fs];
  await l.sh(`umount "$2" 2>/dev/null || true; mkdir -p "$2"; ${mkfs} "$1"; mount -o "$3" "$1" "$2"; sync -f "$2"`, l.disk(store.name).path, DIR, options);
}

export async function hold(b: Bench): Promise<Held> {
  const frozen = await b.data.sectorsAt(PIECE.offset, PIECE.length);
  const snapshot = await b.l.takeSnapshot(b.data, { storage: b.storage, ...(b.limit ? { limit: b.limit } : {}) });
  return { snapshot, image: await snapshot.image(b.data), frozen };
}

/** Overwrites both chunks, and finds its data on the device. */
export async function overwrite(b: Bench): Promise<void> {
  b.byte = b.byte % 0xf0 + 1;
  expect(await aio(b.data, [{ ...WRITE, byte: b.byte }]), 'the original\'s write').toEqual([WRITE.length]);
}

export async function expectWritten(b: Bench): Promise<void> {
  const seen = await b.data.read(WRITE.offset, WRITE.length);
  expect(seen.equals(Buffer.alloc(WRITE.length, b.byte)), 'the original has what was written').toBe(true);
}

/** Resolves when both chunks are stored, or the fault has hit. */
export async function untilStored({ store }: Bench, fault: NthFault): Promise<void> {
  const large = ({ kind, sectors, answered }: DiskRequest): boolean => kind === 'write' && sectors >= 8 && answered !== undefined;
  const sectors = (): number => store.requests({ where: large }).reduce((sum, request) => sum + request.sectors, 0);
  await store.first({ where: () => fault.hit !== '' || sectors() >= 2 * CHUNK / SECTOR });
}

async function expectImageRight({ image, frozen }: Held): Promise<void> {
  await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
}

/** Each read is right, or EIO. */
export async function imageIsRight(held: Held): Promise<boolean> {
  const seen = await held.image.sectorsAt(PIECE.offset, PIECE.length).catch((error: { errno?: string }) => {
    if (error.errno !== 'EIO') throw error as Error;
    return undefined;
  });
  if (seen) await expect(seen).toHoldSectorsOf(held.frozen);
  return seen !== undefined;
}

/** The snapshot is lost and says so once, and the device carries on as if there were none. */
export async function expectLost(b: Bench, { snapshot, image }: Held, errno: string): Promise<void> {
  const { l, data, disk } = b;
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, data), error_name: errno });
  await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  expect(await data.snapshotInfo()).toMatchObject({ error_name: errno });
  for (const chunk of [FIRST, FIRST + 1, 6]) await expect(image.read(chunk * CHUNK, SECTOR)).rejects.toMatchObject({ errno: 'EIO' });
  const before = disk.requests({ kind: 'read' }).length;
  expect(await aio(data, [{ offset: ELSEWHERE, length: 4096, byte: b.byte }])).toEqual([4096]);
  expect(disk.requests({ kind: 'read' }).length, 'nothing is copied any more').toBe(before);
}

export async function expectGood({ data }: Bench, held: Held): Promise<void> {
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expect(held.snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  await expectImageRight(held);
}

/** Nothing of the round is left: a snapshot of the same device is right from its beginning to its end. */
export async function expectNextRight(b: Bench): Promise<void> {
  const held = await hold(b);
  await overwrite(b);
  await expectGood(b, held);
  await held.snapshot.destroy();
}

/** A round in which the snapshot is lost, by `errno`, if the fault hits. */
