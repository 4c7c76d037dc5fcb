/** When something goes in gone.ts: what is under way then, held back by a disk, and how that may end. */
import type { Hold } from '../../vm/index.js';
import { aio, CHUNK, eventually, expect, faultDisks, startAio, startStuck, type Aio } from '../fixtures/index.js';
import { CHUNK_AT, ELSEWHERE, SECTOR, type Cell } from './gone-things.js';

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
  readonly begin: (cell: Cell) => Promise<UnderWay>;
}

const originalRange = ({ original }: Cell) => ({ sector: original.start + CHUNK_AT / SECTOR, sectors: CHUNK / SECTOR });
const originalDisk = ({ l, original }: Cell) => l.programmable(faultDisks[original.disk].name);
const storageDisk = ({ l, storage }: Cell) => l.programmable(faultDisks[storage.disk].name);

async function caught(hold: Hold, name: string): Promise<string> {
  const { request } = await hold.next();
  return `${name}: ${request.kind} ${request.sector}+${request.sectors}`;
}

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
  const hit = await caught(hold, cell.original.device.name);
  await writer.submitted;
  return { hold, hit, writer };
}

async function holdStore(cell: Cell): Promise<{ hold: Hold; hit: string; writer: Aio }> {
  const hold = storageDisk(cell).hold({ kind: 'write', where: ({ sectors }) => sectors >= 64 });
  const writer = startAio(cell.original.device, [{ offset: CHUNK_AT, length: 4096 }]);
  const hit = await caught(hold, 'storage');
  await writer.submitted;
  return { hold, hit, writer };
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
      const hit = await caught(hold, cell.original.device.name);
      const take = await startStuck(cell.l, 'exec blksnapctl snapshot take "$1"', cell.snapshot.id);
      expect(take.isWaiting, 'take waits for the write').toBe(true);
      // The image waits for the take.
      const image = await cell.image();
      const reader = startAio(image, [{ op: 'read', offset: ELSEWHERE, length: 4096 }]);
      cell.users.push(reader);
      await reader.submitted;
      return {
        holds: [hold], hit,
        end: async () => {
          const wrote = writeEnds(await writer.done);
          const { exitCode, stderr } = await take.command.result;
          expect(exitCode, `take: ${stderr.toString()}`).toBe(0);
          return `${wrote}, ${await endsOfUser(reader)}, taken`;
        },
      };
    },
  },
  {
    name: 'destroy', isTaken: true, destroys: true,
    begin: async (cell) => {
      await useImage(cell);
      const { hold, hit, writer } = await (cell.storage.disk === 'store' ? holdCopy(cell) : holdStore(cell));
      const destroy = await startStuck(cell.l, 'exec blksnapctl snapshot destroy "$1"', cell.snapshot.id);
      expect(destroy.isWaiting, 'destroy waits for the copy').toBe(true);
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
      const hit = await caught(hold, cell.original.device.name);
      return { holds: [hold], hit, end: () => endsOfUser(reader) };
    },
  },
  {
    name: 'image read from the storage', isTaken: true,
    begin: async (cell) => {
      const image = await cell.image();
      const disk = storageDisk(cell);
      expect(await aio(cell.original.device, [{ offset: CHUNK_AT, length: CHUNK }])).toEqual([CHUNK]);
      const reads = (): number => disk.requests({ kind: 'read' }).length;
      const before = reads();
      await eventually('a read of the storage', async () => { await image.read(CHUNK_AT + CHUNK / 2, 4096); return reads(); }, (seen) => seen > before);
      await cell.l.sh('echo 3 > /proc/sys/vm/drop_caches');
      const hold = disk.hold({ kind: 'read' });
      const reader = startAio(image, [{ op: 'read', offset: CHUNK_AT, length: 4096 }]);
      cell.users.push(reader);
      const hit = await caught(hold, 'storage');
      return { holds: [hold], hit, end: () => endsOfUser(reader) };
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
