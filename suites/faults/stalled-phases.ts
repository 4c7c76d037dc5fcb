/** What the module does in stalled.ts when a disk does not answer. */
import type { Hold } from '../../vm/index.js';
import { aio, CHUNK, expect, heldText, startAio, startStuck, whileSyncing, type Aio, type Device, type Lab, type Snapshot } from '../fixtures/index.js';
import { holdStoredRead } from './storage-file.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
/** The chunks lie behind a file system, which is there if the cell wants one. */
const BASE = 32 * MIB;
export const at = (chunk: number): number => BASE + chunk * CHUNK;

export interface Cell {
  readonly l: Lab;
  readonly data: Device;
  readonly second: Device;
  readonly snapshot: Snapshot;
  readonly image: () => Promise<Device>;
}

export interface Stall {
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

/** It has read what was there, or an error if the filter was detached meanwhile. */
async function expectRead({ l, data }: Cell, reading: Aio): Promise<void> {
  expect(await l.isAttached(data) ? [4096] : [4096, 'EIO']).toContain((await reading.done)[0]);
}

const range = (chunk: number) => ({ sector: at(chunk) / SECTOR, sectors: CHUNK / SECTOR });

async function stallCopy({ l, data }: Cell): Promise<Stall> {
  const hold = l.programmable('data').hold({ kind: 'read', ...range(3) });
  const writer = startAio(data, [{ offset: at(3), length: 4096 }]);
  const hit = heldText('original', await hold.next());
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
      return { hold, hit: heldText('storage', await whileSyncing(l, hold.next())), stuck: l.disk('store'), end: () => Promise.resolve() };
    },
  },
  {
    name: 'store read', isTaken: true,
    begin: async (cell) => {
      const { l, data, image } = cell;
      // Others follow, so that a module that keeps the latest in memory keeps those.
      for (const [chunk, length] of [[3, 4096], [16, 8 * CHUNK]] as const) expect(await aio(data, [{ offset: at(chunk), length }])).toEqual([length]);
      const read = await holdStoredRead(l, l.programmable('store'), await image(), at(3));
      return read && { hold: read.hold, hit: heldText('storage', read.held), stuck: l.disk('store'), end: () => expectRead(cell, read.reading) };
    },
  },
  {
    name: 'growth', storage: 'file', isTaken: true,
    begin: async ({ l, data }) => {
      // On XFS that syncs, growing waits for its log.
      const hold = l.programmable('large').hold({ kind: 'write', where: ({ sectors }) => sectors < 64 });
      const chunks = Array.from({ length: 12 }, (_, chunk) => ({ offset: at(chunk), length: 4096 }));
      const writer = startAio(data, chunks);
      const hit = heldText('storage', await hold.next());
      return { hold, hit, stuck: l.disk('large'), end: async () => { expect(await writer.done).toEqual(chunks.map(() => 4096)); } };
    },
  },
  {
    name: 'take', isTaken: false,
    begin: async ({ l, data, snapshot }) => {
      const hold = l.programmable('data').hold({ kind: 'write', ...range(8) });
      const writer = startAio(data, [{ offset: at(8), length: 4096 }]);
      const hit = heldText('original', await hold.next());
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
      return { hold, hit: heldText('original', await hold.next()), stuck: cell.data, end: () => expectRead(cell, reading) };
    },
  },
];
