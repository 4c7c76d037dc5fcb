/** When something goes in gone.ts: what is under way then, held back by a disk, and how that may end. */
import type { Hold } from '../../vm/index.js';
import { aio, CHUNK, earlyImage, expect, faultDisks, heldText, startAio, startStuck, untilStill, whileSyncing, type Aio } from '../fixtures/index.js';
import { CHUNK_AT, ELSEWHERE, SECTOR, type Cell } from './gone-things.js';
import { holdStoredRead } from './storage-file.js';

interface UnderWay {
  readonly holds: readonly Hold[];
  /** What is held, such as `data: read 1536+512`. */
  readonly hit: string;
  /** Resolves when all has ended, and says how. */
  readonly end: () => Promise<string>;
}

export interface Phase {
  readonly name: string;
  /** The snapshot is taken by then. */
  readonly isTaken: boolean;
  /** The snapshot is destroyed in the end. */
  readonly destroys?: true;
  /** Undefined: the module does nothing then that could be held. */
  readonly begin: (cell: Cell) => Promise<UnderWay | undefined>;
}

const originalRange = ({ original }: Cell) => ({ sector: original.start + CHUNK_AT / SECTOR, sectors: CHUNK / SECTOR });
const originalDisk = ({ l, original }: Cell) => l.programmable(faultDisks[original.disk].name);
const storageDisk = ({ l, storage }: Cell) => l.programmable(faultDisks[storage.disk].name);

/** What a write to the original, which goes or not, may come to. */
function writeEnds(results: readonly (number | string)[]): string {
  for (const result of results) expect([4096, 'EIO', 'ENODEV', 'ENXIO', 'ENOSPC']).toContain(result);
  return `write ${results.map((result) => (result === 4096 ? 'done' : result)).join(', ')}`;
}

/** The image gives what was at the cut, or EIO, and to who opens it too late the answer that it is gone. */
function readEnds(results: readonly (number | string)[]): string {
  for (const result of results) expect([4096, 'EIO', 'no event']).toContain(result);
  return `image read ${results.map((result) => (result === 4096 ? 'done' : result === 'no event' ? 'killed' : result)).join(', ')}`;
}

async function endsOfUser(user: Aio): Promise<string> {
  // Who was killed has no result; the guest gives the status of that.
  const { exitCode } = await user.command.result;
  return exitCode === 0 ? readEnds(await user.done) : 'image read killed';
}

/** Where the phase has no reader of its own: somebody who has read the image, and has it open as long as it lasts. */
async function useImage(cell: Cell): Promise<void> {
  const image = await cell.image();
  const user = cell.l.guest.start(['blkio', 'hold', image.path], { timeoutMs: 60_000 });
  await new Promise<void>((resolve, reject) => {
    user.onStdout(() => resolve());
    user.result.then(({ stderr }) => reject(new Error(`hold ended: ${stderr.toString()}`)), reject);
  });
  cell.users.push({ command: user, submitted: Promise.resolve(), done: Promise.resolve([]) });
}

async function holdCopy(cell: Cell): Promise<{ hold: Hold; hit: string; writer: Aio }> {
  const hold = originalDisk(cell).hold({ kind: 'read', ...originalRange(cell) });
  const writer = startAio(cell.original.device, [{ offset: CHUNK_AT, length: 4096 }]);
  return { hold, hit: heldText(cell.original.device.name, await hold.next()), writer };
}

async function holdStore(cell: Cell): Promise<{ hold: Hold; hit: string; writer: Aio }> {
  // A file system has small writes of its own.
  const isFile = cell.storage.limit !== undefined;
  const hold = storageDisk(cell).hold({ kind: 'write', where: ({ sectors }) => !isFile || sectors >= 64 });
  const writer = startAio(cell.original.device, [{ offset: CHUNK_AT, length: 4096 }]);
  return { hold, hit: heldText('storage', await whileSyncing(cell.l, hold.next())), writer };
}

export const phases: readonly Phase[] = [
  {
    name: 'old-data read', isTaken: true,
    begin: async (cell) => {
      await useImage(cell);
      const { hold, hit, writer } = await holdCopy(cell);
      return { holds: [hold], hit, end: async () => writeEnds(await writer.done) };
    },
  },
  {
    name: 'store write', isTaken: true,
    begin: async (cell) => {
      await useImage(cell);
      const { hold, hit, writer } = await holdStore(cell);
      return { holds: [hold], hit, end: async () => writeEnds(await writer.done) };
    },
  },
  {
    name: 'take', isTaken: false,
    begin: async (cell) => {
      // It waits for a write from before the cut.
      const hold = originalDisk(cell).hold({ kind: 'write', ...originalRange(cell) });
      const writer = startAio(cell.original.device, [{ offset: CHUNK_AT, length: 4096 }]);
      const hit = heldText(cell.original.device.name, await hold.next());
      const take = await startStuck(cell.l, 'exec blksnapctl snapshot take "$1"', cell.snapshot.id);
      expect(take.isWaiting, 'take waits for the write').toBe(true);
      // If the image is there by now, it waits for the take.
      const image = await earlyImage(cell.l, cell.original.device);
      const readers = image ? [startAio(image, [{ op: 'read', offset: ELSEWHERE, length: 4096 }])] : [];
      cell.users.push(...readers);
      for (const { done } of readers) await untilStill(cell.l, 'blkio', done);
      return {
        holds: [hold], hit,
        end: async () => {
          const wrote = writeEnds(await writer.done);
          const { exitCode, stderr } = await take.command.result;
          if (exitCode !== 0) expect(stderr.toString(), 'take').toContain('"ENODEV"');
          return [wrote, ...await Promise.all(readers.map(endsOfUser)), exitCode === 0 ? 'taken' : 'not taken'].join(', ');
        },
      };
    },
  },
  {
    name: 'destroy', isTaken: true, destroys: true,
    begin: async (cell) => {
      await useImage(cell);
      const isCopy = cell.storage.disk === 'store';
      const { hold, hit, writer } = await (isCopy ? holdCopy(cell) : holdStore(cell));
      const destroy = await startStuck(cell.l, 'exec blksnapctl snapshot destroy "$1"', cell.snapshot.id);
      if (isCopy) expect(destroy.isWaiting, 'destroy waits for the write, which waits for the copy').toBe(true);
      return {
        holds: [hold], hit,
        end: async () => {
          const wrote = writeEnds(await writer.done);
          const { exitCode, stderr } = await destroy.command.result;
          expect(exitCode, `destroy: ${stderr.toString()}`).toBe(0);
          cell.snapshot.isDestroyed = true;
          return `${wrote}, destroyed`;
        },
      };
    },
  },
  {
    name: 'image read from the original', isTaken: true,
    begin: async (cell) => {
      const hold = originalDisk(cell).hold({ kind: 'read', ...originalRange(cell) });
      const reader = startAio(await cell.image(), [{ op: 'read', offset: CHUNK_AT, length: 4096 }]);
      cell.users.push(reader);
      return { holds: [hold], hit: heldText(cell.original.device.name, await hold.next()), end: () => endsOfUser(reader) };
    },
  },
  {
    name: 'image read from the storage', isTaken: true,
    begin: async (cell) => {
      const { device } = cell.original;
      // Others follow, so that a module that keeps the latest in memory keeps those.
      for (const [offset, length] of [[CHUNK_AT, CHUNK], [16 * CHUNK, 8 * CHUNK]] as const) expect(await aio(device, [{ offset, length }])).toEqual([length]);
      const read = await holdStoredRead(cell.l, storageDisk(cell), await cell.image(), CHUNK_AT);
      if (!read) return undefined;
      cell.users.push(read.reading);
      return { holds: [read.hold], hit: heldText('storage', read.held), end: () => endsOfUser(read.reading) };
    },
  },
  {
    name: 'held and idle', isTaken: true,
    begin: async (cell) => {
      await useImage(cell);
      return { holds: [], hit: 'a snapshot that is held', end: () => Promise.resolve('idle') };
    },
  },
];
