/** What is stuck, and what is done meanwhile: each pair is a cell of the grid.
 *  A phase begins something that a disk does not answer; another thing begins; then the disk answers, and all must end. */
import type { FaultLog, HeldRequest, Hold } from '../../vm/index.js';
import {
  aio, CHUNK, earlyImage, expect, faultDisks, mountExt4, patched, startAio, startStuck, ToolError,
  untilStill, whileSyncing, type Aio, type Device, type Io, type Lab, type LabOptions, type Sectors, type Snapshot,
} from '../fixtures/index.js';
import { holdStoredRead } from './storage-file.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
/** The chunks lie behind a file system, which is there if the cell wants one. */
const FS_SIZE = '24M';
const BASE = 32 * MIB;
const at = (chunk: number): number => BASE + chunk * CHUNK;
const FILLED = 16;
const PIECE = { offset: at(2), length: 4 * CHUNK };
const DIR = '/mnt/data';
const STORAGE_DIR = '/mnt/storage';
const PORTION = 2 * MIB;

type MakeLab = (options?: LabOptions) => Promise<Lab>;

interface Cell {
  readonly l: Lab;
  readonly data: Device;
  readonly second: Device;
  readonly snapshot: Snapshot;
  readonly image: () => Promise<Device>;
}

interface Stall {
  readonly hold: Hold;
  readonly hit: string;
  /** The device in the guest that does not answer. */
  readonly stuck: Device;
  readonly end: () => Promise<void>;
}

export interface Phase {
  readonly name: string;
  /** Default: the disk itself. */
  readonly storage?: 'file';
  readonly isTaken: boolean;
  readonly destroys?: true;
  /** Undefined: the module does nothing then that could be stuck. */
  readonly begin: (cell: Cell) => Promise<Stall | undefined>;
}

const hitOf = (name: string, { request }: HeldRequest): string => `${name}: ${request.kind} ${request.sector}+${request.sectors}`;

/** It has read what was there, or an error if the filter was detached meanwhile. */
async function expectRead({ l, data }: Cell, reading: Aio): Promise<void> {
  expect(await l.isAttached(data) ? [4096] : [4096, 'EIO']).toContain((await reading.done)[0]);
}

const range = (chunk: number) => ({ sector: at(chunk) / SECTOR, sectors: CHUNK / SECTOR });

async function stallCopy({ l, data }: Cell): Promise<Stall> {
  const hold = l.programmable('data').hold({ kind: 'read', ...range(3) });
  const writer = startAio(data, [{ offset: at(3), length: 4096 }]);
  const hit = hitOf('original', await hold.next());
  return { hold, hit, stuck: data, end: async () => { expect(await writer.done).toEqual([4096]); } };
}

export const phases: readonly Phase[] = [
  { name: 'old-data read', isTaken: true, begin: stallCopy },
  {
    name: 'store write', isTaken: true,
    begin: async ({ l, data }) => {
      const hold = l.programmable('store').hold({ kind: 'write' });
      // The old data is in memory: nobody waits for the storage.
      expect(await aio(data, [{ offset: at(3), length: 4096 }])).toEqual([4096]);
      return { hold, hit: hitOf('storage', await whileSyncing(l, hold.next())), stuck: l.disk('store'), end: () => Promise.resolve() };
    },
  },
  {
    name: 'store read', isTaken: true,
    begin: async (cell) => {
      const { l, data, image } = cell;
      // Others follow, so that a module that keeps the latest in memory keeps those.
      for (const [chunk, length] of [[3, 4096], [16, 8 * CHUNK]] as const) expect(await aio(data, [{ offset: at(chunk), length }])).toEqual([length]);
      const read = await holdStoredRead(l, l.programmable('store'), await image(), at(3));
      return read && { hold: read.hold, hit: hitOf('storage', read.held), stuck: l.disk('store'), end: () => expectRead(cell, read.reading) };
    },
  },
  {
    name: 'growth', storage: 'file', isTaken: true,
    begin: async ({ l, data }) => {
      // On XFS that syncs, growing waits for its log.
      const hold = l.programmable('large').hold({ kind: 'write', where: ({ sectors }) => sectors < 64 });
      const chunks = Array.from({ length: 12 }, (_, chunk) => ({ offset: at(chunk), length: 4096 }));
      const writer = startAio(data, chunks);
      const hit = hitOf('storage', await hold.next());
      return { hold, hit, stuck: l.disk('large'), end: async () => { expect(await writer.done).toEqual(chunks.map(() => 4096)); } };
    },
  },
  {
    name: 'take', isTaken: false,
    begin: async ({ l, data, snapshot }) => {
      const hold = l.programmable('data').hold({ kind: 'write', ...range(8) });
      const writer = startAio(data, [{ offset: at(8), length: 4096 }]);
      const hit = hitOf('original', await hold.next());
      const { command, isWaiting } = await startStuck(l, 'exec blksnapctl snapshot take "$1"', snapshot.id);
      expect(isWaiting, 'take waits for the write').toBe(true);
      return {
        hold, hit, stuck: data,
        end: async () => {
          expect(await writer.done).toEqual([4096]);
          const { exitCode } = await command.result;
          if (await l.isAttached(data)) expect(exitCode).toBe(0);
        },
      };
    },
  },
  {
    name: 'destroy', isTaken: true, destroys: true,
    begin: async (cell) => {
      const stall = await stallCopy(cell);
      const { command, isWaiting } = await startStuck(cell.l, 'exec blksnapctl snapshot destroy "$1"', cell.snapshot.id);
      expect(isWaiting, 'destroy waits for the copy').toBe(true);
      return {
        ...stall,
        end: async () => {
          await stall.end();
          expect((await command.result).exitCode).toBe(0);
          cell.snapshot.isDestroyed = true;
        },
      };
    },
  },
  {
    name: 'image read', isTaken: true,
    begin: async (cell) => {
      const hold = cell.l.programmable('data').hold({ kind: 'read', ...range(3) });
      const reading = startAio(await cell.image(), [{ op: 'read', offset: at(3), length: 4096 }]);
      return { hold, hit: hitOf('original', await hold.next()), stuck: cell.data, end: () => expectRead(cell, reading) };
    },
  },
];

interface Begun {
  /** It could not end as long as nothing was answered. */
  readonly isWaiting: boolean;
  /** Resolves with what came of it. */
  readonly end: () => Promise<string>;
}

export interface Meanwhile {
  readonly what: string;
  /** The original is mounted. */
  readonly mounts?: true;
  /** The other device is gone in the end. */
  readonly removes?: true;
  /** What it writes to the original. */
  readonly writes?: Required<Pick<Io, 'offset' | 'length' | 'byte'>>;
  readonly begin: (cell: Cell, stall: Stall, phase: Phase) => Promise<Begun>;
}

async function begin(l: Lab, allowed: readonly string[], script: string, ...args: readonly string[]): Promise<Begun> {
  const { command, isWaiting } = await startStuck(l, script, ...args);
  return {
    isWaiting,
    end: async () => {
      const { exitCode, stderr } = await command.result;
      const text = stderr.toString().trim();
      const answer = exitCode === 0 ? 'success' : /"error":"([A-Z]+)"/.exec(text)?.[1] ?? text;
      expect(allowed).toContain(answer);
      return answer;
    },
  };
}

/** Whether it has ended while nothing is answered. */
async function beginAio({ l }: Cell, io: Aio): Promise<Begun> {
  let isOver = false;
  const done = io.done.finally(() => { isOver = true; });
  await untilStill(l, 'blkio', done);
  return {
    isWaiting: !isOver,
    end: async () => {
      const [result] = await done;
      expect(result).toBe(4096);
      return 'done';
    },
  };
}

const again = { offset: at(3) + 8192, length: 4096, byte: 0x33 };

export const meanwhiles: readonly Meanwhile[] = [
  {
    what: 'the number of requests is changed',
    begin: ({ l }, { stuck }) => begin(l, ['success'], 'echo 64 > "/sys/block/$1/queue/nr_requests"', stuck.name),
  },
  {
    what: 'the scheduler is changed',
    begin: ({ l }, { stuck }) => begin(l, ['success'], 'echo mq-deadline > "/sys/block/$1/queue/scheduler"', stuck.name),
  },
  {
    // Of a device that a snapshot has, or had a moment ago.
    what: 'the filter is detached',
    begin: ({ l, data }) => begin(l, ['EBUSY', 'success'], 'exec blksnapctl detach "$1"', data.path),
  },
  {
    what: 'the other device is removed', removes: true,
    begin: ({ l, second }) => begin(l, ['success'], 'd=$(basename "$(readlink -f "/sys/block/$1/device")"); echo "$d" > /sys/bus/virtio/drivers/virtio_blk/unbind', second.name),
  },
  {
    what: 'the image is read',
    begin: async (cell, _stall, phase) => {
      // When it comes, within take, and when it goes, within destroy, is the module's own affair.
      const image = phase.isTaken ? await cell.image() : await earlyImage(cell.l, cell.data);
      if (!image) return { isWaiting: false, end: () => Promise.resolve('there was no image') };
      if (phase.destroys) return begin(cell.l, ['success', 'EIO', 'ENOENT', 'ENXIO', 'ENODEV'], `exec blkio read "$1" ${at(5)} 4096 --direct > /dev/null`, image.path);
      return beginAio(cell, startAio(image, [{ op: 'read', offset: at(5), length: 4096 }]));
    },
  },
  {
    what: 'the same chunk is written again', writes: again,
    begin: (cell) => beginAio(cell, startAio(cell.data, [again])),
  },
  {
    what: 'the original\'s file system is synced', mounts: true,
    begin: ({ l }) => begin(l, ['success'], `echo more > ${DIR}/more; exec sync "$1"`, `${DIR}/more`),
  },
];

async function makeCell(lab: MakeLab, phase: Phase, meanwhile: Meanwhile): Promise<Cell> {
  const l = await lab({ disks: Object.values(faultDisks), params: phase.storage === 'file' ? { diff_storage_minimum: PORTION / SECTOR } : {} });
  await l.sh('for d; do echo 2 > "/sys/block/$d/queue/nomerges"; done', ...Object.values(faultDisks).map(({ name }) => l.disk(name).name));
  const [data, second] = [l.disk('data'), l.disk('second')];
  if (meanwhile.mounts) {
    await mountExt4(l, data, DIR, ['-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0'], FS_SIZE);
    await l.sh('sync -f "$1"', DIR);
  }
  let storage = l.disk('store').path;
  if (phase.storage === 'file') {
    await l.sh('mkfs.xfs -q -f "$1"; mkdir -p "$2"; mount -o wsync "$1" "$2"', l.disk('large').path, STORAGE_DIR);
    l.defer(() => l.sh('umount "$1"', STORAGE_DIR));
    storage = `${STORAGE_DIR}/diff`;
  }
  for (const device of [data, second]) {
    await device.fill(1, { offset: BASE, length: FILLED * CHUNK });
    await l.attach(device);
  }
  const snapshot = await l.createSnapshot({ storage, ...(phase.storage === 'file' ? { limit: '8M' } : {}) });
  await snapshot.add(data, second);
  if (phase.isTaken) await snapshot.take();
  const image = phase.isTaken ? await snapshot.image(data) : undefined;
  return { l, data, second, snapshot, image: async () => image ?? snapshot.image(data) };
}

/** Returns whether there was anything to get stuck. */
export async function fillCell(lab: MakeLab, phase: Phase, meanwhile: Meanwhile, faults: FaultLog): Promise<boolean> {
  const cell = await makeCell(lab, phase, meanwhile);
  const { data, second } = cell;
  const frozen = await data.sectorsAt(PIECE.offset, PIECE.length);
  const stall = await phase.begin(cell);
  if (!stall) return false;

  const begun = await meanwhile.begin(cell, stall, phase);
  // Who writes to another device waits for that alone, unless there is no space to store what was there.
  if (!meanwhile.removes && phase.isTaken && phase.storage !== 'file') expect(await aio(second, [{ offset: at(9), length: 4096 }])).toEqual([4096]);
  stall.hold.release();
  const answer = await begun.end();
  await stall.end();

  await lookAt(cell, phase, meanwhile, frozen);
  const verdict = `${begun.isWaiting ? 'waited' : 'ended meanwhile'}: ${answer}; all ended, the image right`;
  faults.record({ kind: 'stall', operation: phase.name, point: meanwhile.what, hit: stall.hit, verdict });
  return true;
}

/** What is written while take waits may be from before the cut: take need not have come to that. Then all of it is in the image. */
async function orWith(written: Meanwhile['writes'], frozen: Sectors, image: Device): Promise<Sectors> {
  if (!written || (await image.read(written.offset, 512))[0] !== written.byte) return frozen;
  return patched(frozen, written.offset - PIECE.offset, Buffer.alloc(written.length, written.byte));
}

/** Each image that is there is right, and so is the next. That of a device without its filter fails. */
async function lookAt(cell: Cell, phase: Phase, meanwhile: Meanwhile, frozen: Sectors): Promise<void> {
  const { l, data, second, snapshot } = cell;
  const isAttached = await l.isAttached(data);
  if (!phase.destroys) {
    if (isAttached) {
      expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
      const image = await cell.image();
      const atCut = phase.isTaken ? frozen : await orWith(meanwhile.writes, frozen, image);
      await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(atCut);
    } else if (phase.isTaken) {
      await expect((await cell.image()).read(at(5), 4096)).rejects.toThrow(ToolError);
    }
    if (!meanwhile.removes && (isAttached || phase.isTaken)) await expect(await (await snapshot.image(second)).sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
    await snapshot.destroy();
  }
  if (!isAttached) await l.attach(data);
  const now = await data.sectorsAt(PIECE.offset, PIECE.length);
  const next = await l.takeSnapshot(data, { storage: '/tmp', limit: '4M' });
  const image = await next.image(data);
  expect(await aio(data, [{ offset: at(4), length: CHUNK, byte: 0x43 }])).toEqual([CHUNK]);
  await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(now);
  await next.destroy();
}

/** Each phase and each thing at least once; the rest is for when it is asked for. */
export function isQuick(phase: number, meanwhile: number): boolean {
  return phase === meanwhile;
}
