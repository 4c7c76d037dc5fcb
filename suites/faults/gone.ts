/** What goes, and when: each thing in each phase is a cell of the grid.
 *  A phase begins something that a disk holds back, and tells how it ends. Then the thing is let go, which may wait for what is
 *  held; the disk lets that go, all must end, and what remains must be right. */
import type { FaultLog, Hold } from '../../vm/index.js';
import {
  aio, CHUNK, eventually, expect, faultDisks, makePartitions, numbersOf, startAio, startStuck, untilModuleReferences,
  type Aio, type Device, type Lab, type LabOptions, type Sectors, type Snapshot,
} from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const SIGKILL = 9;
/** The chunk that all is about, and the piece of an image that is looked at. */
const CHUNK_AT = 3 * CHUNK;
const PIECE = { offset: 2 * CHUNK, length: 3 * CHUNK };
/** A chunk that the user of the image reads where the phase has no reader of its own. */
const ELSEWHERE = 6 * CHUNK;
/** A chunk that nothing else touches. */
const SPARE = 7 * CHUNK;
const FILLED = 8 * CHUNK;
const DIR = '/mnt/storage';

type MakeLab = (options?: LabOptions) => Promise<Lab>;
type DiskName = keyof typeof faultDisks;

interface Original {
  readonly device: Device;
  readonly disk: DiskName;
  /** Sectors on the disk before the device begins. */
  readonly start: number;
}

interface Storage {
  readonly path: string;
  readonly disk: DiskName;
  readonly limit?: string;
}

/** Begins to remove it; resolves once that has ended, or waits in the kernel. */
type Begin = (cell: Cell) => Promise<Removal>;

interface Removal {
  /** Such as `went at once`. */
  readonly how: string;
  /** Resolves with how it ended. */
  readonly end: () => Promise<string>;
}

interface Cell {
  readonly l: Lab;
  readonly original: Original;
  /** It stays, whatever goes. */
  readonly beside: Device;
  readonly storage: Storage;
  readonly snapshot: Snapshot;
  readonly image: () => Promise<Device>;
  /** Commands that use the image, for whom it is to kill them. */
  readonly users: Aio[];
}

export interface Thing {
  readonly what: string;
  readonly original?: (l: Lab) => Promise<Original>;
  readonly storage?: (l: Lab) => Promise<Storage>;
  readonly begin: readonly Begin[];
  /** What is gone for good in the end; else it stays, and so does what was promised of it. */
  readonly takes: readonly ('original' | 'storage')[];
  /** The original stays, and its I/O fails. */
  readonly fails?: true;
}

/** A command in the guest that removes something. What is in use may be refused, and is removed when it is free. */
function byCommand(script: string, argument: (cell: Cell) => string): Begin {
  return async (cell) => {
    const { command, isWaiting } = await startStuck(cell.l, script, argument(cell));
    return {
      how: isWaiting ? 'waited for what was held' : 'ended at once',
      end: async () => {
        const { exitCode, stderr } = await command.result;
        if (exitCode === 0) return 'went';
        const why = stderr.toString().trim();
        expect(why, 'a refusal says why').toMatch(/busy|EBUSY/i);
        return 'was refused: busy';
      },
    };
  };
}

/** QEMU lets go of the disk when nothing of it is held any more. */
function byUnplugging(name: (cell: Cell) => DiskName): Begin {
  return (cell) => {
    const unplugged = cell.l.guest.unplug(faultDisks[name(cell)].name);
    unplugged.catch(() => undefined);
    return Promise.resolve({ how: 'was pulled', end: async () => { await unplugged; return 'went'; } });
  };
}

const killUser: Begin = async ({ users }) => {
  const killed = Promise.all(users.map(({ command }) => command.kill(SIGKILL)));
  killed.catch(() => undefined);
  return Promise.resolve({ how: 'was killed', end: async () => { await killed; return 'went'; } });
};

const pulled = (l: Lab): Promise<Original> => Promise.resolve({ device: l.disk('pulled'), disk: 'pulled', start: 0 });
const pullOriginal = byUnplugging(({ original }) => original.disk);
const pullStorage = byUnplugging(({ storage }) => storage.disk);
const pulledStore = (l: Lab): Promise<Storage> => Promise.resolve({ path: l.disk('pulledstore').path, disk: 'pulledStore' });

async function linear(l: Lab): Promise<Original> {
  const below = l.disk('data');
  await l.sh('dmsetup create --noudevsync --noudevrules gone --table "0 $2 linear $1 0"', below.path, `${16 * MIB / SECTOR}`);
  l.defer(() => l.sh('dmsetup info gone >/dev/null 2>&1 && dmsetup remove --noudevsync gone || true'));
  return { device: l.device(`/dev/dm-${await l.sh('dmsetup info -c --noheadings -o minor gone')}`), disk: 'data', start: 0 };
}

async function loopOver(l: Lab, disk: Device): Promise<Device> {
  const path = await l.sh('losetup --direct-io=on --show -f "$1"', disk.path);
  l.defer(() => l.sh('losetup "$1" >/dev/null 2>&1 && losetup -d "$1" || true', path));
  return l.device(path);
}

const replaceByErrors: Begin = async ({ l }) => {
  await l.sh('dmsetup load gone --table "0 $1 error"', `${16 * MIB / SECTOR}`);
  const { command, isWaiting } = await startStuck(l, 'exec dmsetup suspend --noflush --nolockfs gone');
  const resumed = command.result.then(async ({ exitCode, stderr }) => {
    expect(exitCode, stderr.toString()).toBe(0);
    await l.sh('dmsetup resume --noudevsync gone');
  });
  resumed.catch(() => undefined);
  return { how: isWaiting ? 'waited for what was held' : 'ended at once', end: async () => { await resumed; return 'went'; } };
};

export const things: readonly Thing[] = [
  { what: 'original: pulled out', original: pulled, begin: [pullOriginal], takes: ['original'] },
  {
    what: 'original: SCSI delete', original: pulled, takes: ['original'],
    begin: [byCommand('echo 1 > "/sys/block/$1/device/delete"', ({ original }) => original.device.name)],
  },
  {
    what: 'original: dm remove --force', original: linear, takes: ['original'],
    begin: [byCommand('exec dmsetup remove --noudevsync --force gone', ({ original }) => original.device.path)],
  },
  {
    what: 'original: dm replaced by errors', original: linear, takes: [], fails: true, begin: [replaceByErrors],
  },
  {
    what: 'original: loop detached', takes: ['original'],
    original: async (l) => ({ device: await loopOver(l, l.disk('data')), disk: 'data', start: 0 }),
    begin: [byCommand('exec losetup -d "$1"', ({ original }) => original.device.path)],
  },
  {
    what: 'original: partition deleted', takes: ['original'],
    original: async (l) => {
      const [device] = await makePartitions(l, l.disk('data'), [{ start: MIB, length: 16 * MIB }]) as [Device];
      return { device, disk: 'data', start: MIB / SECTOR };
    },
    begin: [byCommand('exec blkio delpart "${1%1}" 1', ({ original }) => original.device.path)],
  },
  { what: 'storage: pulled out', storage: pulledStore, begin: [pullStorage], takes: ['storage'] },
  {
    what: 'storage: the disk below its file system pulled out', takes: ['storage'],
    storage: async (l) => {
      await l.sh('mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$1"; mkdir -p "$2"; mount "$1" "$2"', l.disk('pulledstore').path, DIR);
      l.defer(() => l.sh('umount "$1"', DIR));
      return { path: `${DIR}/diff`, disk: 'pulledStore', limit: '8M' };
    },
    begin: [pullStorage],
  },
  {
    what: 'storage: loop detached', takes: [],
    storage: async (l) => ({ path: (await loopOver(l, l.disk('store'))).path, disk: 'store' }),
    begin: [byCommand('exec losetup -d "$1"', ({ storage }) => storage.path)],
  },
  { what: 'the image\'s user killed', begin: [killUser], takes: [] },
  { what: 'original and storage pulled out', original: pulled, storage: pulledStore, begin: [pullOriginal, pullStorage], takes: ['original', 'storage'] },
  { what: 'original pulled out, the image\'s user killed', original: pulled, begin: [pullOriginal, killUser], takes: ['original'] },
  { what: 'storage pulled out, the image\'s user killed', storage: pulledStore, begin: [pullStorage, killUser], takes: ['storage'] },
];

/** What is under way when the thing goes. */
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

async function makeCell(lab: MakeLab, phase: Phase, thing: Thing): Promise<Cell> {
  const l = await lab({ disks: Object.values(faultDisks) });
  await l.sh('for d; do echo 2 > "/sys/block/$d/queue/nomerges"; done', ...Object.values(faultDisks).map(({ name }) => l.disk(name).name));
  const original = await (thing.original ?? pulled)(l);
  const storage = await (thing.storage ?? ((): Promise<Storage> => Promise.resolve({ path: l.disk('store').path, disk: 'store' })))(l);
  const beside = l.disk('second');
  for (const device of [original.device, beside]) {
    await device.fill(1, { offset: 0, length: FILLED });
    await l.attach(device);
  }
  const snapshot = await l.createSnapshot({ storage: storage.path, ...(storage.limit ? { limit: storage.limit } : {}) });
  await snapshot.add(original.device, beside);
  if (phase.isTaken) await snapshot.take();
  let image: Device | undefined;
  return { l, original, beside, storage, snapshot, users: [], image: async () => image ??= await snapshot.image(original.device) };
}

export async function fillCell(lab: MakeLab, phase: Phase, thing: Thing, faults: FaultLog): Promise<void> {
  const cell = await makeCell(lab, phase, thing);
  const { l, original, beside, snapshot } = cell;
  const numbers = await numbersOf(l, original.device);
  const frozen = await beside.sectorsAt(PIECE.offset, PIECE.length);
  const underWay = await phase.begin(cell);
  const image = await cell.image();
  const besideImage = await snapshot.image(beside).catch(() => undefined);

  const removals: Removal[] = [];
  for (const begin of thing.begin) removals.push(await begin(cell));
  for (const hold of underWay.holds) hold.release();

  const how = await underWay.end();
  // Whoever uses the image may be what the device waits for.
  for (const { command } of cell.users) await command.kill(SIGKILL);
  const ways: string[] = [];
  for (const removal of removals) ways.push(`${removal.how}, ${await removal.end()}`);
  if (thing.takes.includes('original') && ways.some((way) => way.includes('refused'))) {
    for (const begin of thing.begin) expect(await (await begin(cell)).end(), 'free, it goes').toBe('went');
  }

  const verdict = [...ways, how];
  if (!phase.destroys) verdict.push(await lookAtHold(cell, thing, { image, besideImage, frozen, numbers }));
  await lookAtEnd(cell, thing);
  faults.record({ kind: 'removal', operation: phase.name, point: thing.what, hit: underWay.hit, verdict: verdict.join('; ') });
}

interface Seen {
  readonly image: Device;
  readonly besideImage: Device | undefined;
  readonly frozen: Sectors;
  readonly numbers: { major: number; minor: number };
}

/** What the thing has cost: its own image, if that, and of the others nothing but what lay on the storage. */
async function lookAtHold({ l, original, beside, snapshot }: Cell, thing: Thing, { image, besideImage, frozen, numbers }: Seen): Promise<string> {
  const isGone = thing.takes.includes('original');
  const hasStorage = !thing.takes.includes('storage');
  if (isGone) await eventually(`the end of the filter of ${original.device.path}`, () => l.isAttached(original.device), (seen) => !seen);

  // The device that stays is written, so that it needs the storage.
  expect(await aio(beside, [{ offset: CHUNK_AT, length: CHUNK, byte: 0x42 }])).toEqual([CHUNK]);
  expect((await beside.read(CHUNK_AT, CHUNK)).equals(Buffer.alloc(CHUNK, 0x42))).toBe(true);
  const besideIsRight = async (): Promise<void> => {
    expect(await beside.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await (besideImage ?? await snapshot.image(beside)).sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
  };
  if (!hasStorage) {
    // So that it needs the storage, too.
    if (!isGone) expect(await aio(original.device, [{ offset: SPARE, length: 4096 }])).toEqual([4096]);
    const events = await eventsOf(snapshot, 2);
    for (const { error_name } of events) expect(['EIO', 'ENODEV', 'ENXIO', 'EROFS', 'ENOSPC']).toContain(error_name);
    for (const lost of [image, besideImage ?? await snapshot.image(beside)]) await expect(lost.read(CHUNK_AT, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  } else if (isGone || thing.fails) {
    if (!isGone) expect(await aio(original.device, [{ offset: SPARE, length: 4096 }])).toEqual(['EIO']);
    const [event] = await eventsOf(snapshot, 1);
    expect(event).toMatchObject({ event: 'corrupted', ...numbers });
    expect(isGone ? ['ENODEV', 'EIO'] : ['EIO']).toContain(event?.error_name);
    await expect(image.read(CHUNK_AT, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    await besideIsRight();
  } else {
    // Both were filled alike. In the last chunk of the piece nothing was written before the cut.
    const last = { what: frozen.what, sums: frozen.sums.slice(-CHUNK / SECTOR) };
    await expect(await image.sectorsAt(PIECE.offset + PIECE.length - CHUNK, CHUNK)).toHoldSectorsOf(last);
    await besideIsRight();
  }
  await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  await snapshot.destroy();
  return `its image ${isGone || thing.fails || !hasStorage ? 'EIO' : 'right'}, the other's ${hasStorage ? 'right' : 'EIO'}`;
}

async function eventsOf(snapshot: Snapshot, count: number) {
  const events = [];
  while (events.length < count) events.push(await snapshot.waitEvent());
  return events;
}

/** Nothing is left of the snapshot, and the device that stays can be in the next one. */
async function lookAtEnd({ l, original, beside }: Cell, thing: Thing): Promise<void> {
  if (thing.takes.includes('original')) {
    await eventually(`the end of the filter of ${original.device.path}`, () => l.isAttached(original.device), (seen) => !seen);
    await untilModuleReferences(l, 1);
  }
  expect(await l.sh('ls /dev | grep blksnap-image || true')).toBe('');
  const frozen = await beside.sectorsAt(PIECE.offset, PIECE.length);
  const next = await l.takeSnapshot(beside, { storage: '/tmp', limit: '4M' });
  const image = await next.image(beside);
  expect(await aio(beside, [{ offset: CHUNK_AT, length: CHUNK, byte: 0x43 }])).toEqual([CHUNK]);
  await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
  await next.destroy();
}

/** Each phase and each thing at least once; the rest is for when it is asked for. */
export function isQuick(phase: number, thing: number): boolean {
  return thing % phases.length === phase;
}
