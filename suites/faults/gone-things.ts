/** What goes in gone.ts, and how: pulled, deleted, replaced, detached, killed, and two of these at once. */
import {
  CHUNK, expect, faultDisks, makeLinear, makeLoopOver, makePartitions, startStuck, type Aio, type Device, type Lab, type LabOptions, type Snapshot,
} from '../fixtures/index.js';

export const SECTOR = 512;
const MIB = 1024 * 1024;
export const SIGKILL = 9;
/** The chunk that all is about, and the piece of an image that is looked at. */
export const CHUNK_AT = 3 * CHUNK;
export const PIECE = { offset: 2 * CHUNK, length: 3 * CHUNK };
/** A chunk that the user of the image reads where the phase has no reader of its own. */
export const ELSEWHERE = 6 * CHUNK;
/** A chunk that nothing else touches. */
export const SPARE = 7 * CHUNK;
export const FILLED = 8 * CHUNK;
const DIR = '/mnt/storage';

export type MakeLab = (options?: LabOptions) => Promise<Lab>;
type DiskName = keyof typeof faultDisks;

interface Original {
  readonly device: Device;
  readonly disk: DiskName;
  /** Sectors on the disk before the device begins. */
  readonly start: number;
}

export interface Storage {
  readonly path: string;
  readonly disk: DiskName;
  readonly limit?: string;
}

/** Begins to remove it; resolves once that has ended, or waits in the kernel. */
type Begin = (cell: Cell) => Promise<Removal>;

export interface Removal {
  /** Such as `went at once`. */
  readonly how: string;
  /** Resolves with how it ended. */
  readonly end: () => Promise<string>;
}

export interface Cell {
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

export const pulled = (l: Lab): Promise<Original> => Promise.resolve({ device: l.disk('pulled'), disk: 'pulled', start: 0 });
const pullOriginal = byUnplugging(({ original }) => original.disk);
const pullStorage = byUnplugging(({ storage }) => storage.disk);
const pulledStore = (l: Lab): Promise<Storage> => Promise.resolve({ path: l.disk('pulledstore').path, disk: 'pulledStore' });

async function linear(l: Lab): Promise<Original> {
  return { device: await makeLinear(l, 'gone', l.disk('data'), 16 * MIB), disk: 'data', start: 0 };
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
    original: async (l) => ({ device: await makeLoopOver(l, l.disk('data')), disk: 'data', start: 0 }),
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
    storage: async (l) => ({ path: (await makeLoopOver(l, l.disk('store'))).path, disk: 'store' }),
    begin: [byCommand('exec losetup -d "$1"', ({ storage }) => storage.path)],
  },
  { what: 'the image\'s user killed', begin: [killUser], takes: [] },
  { what: 'original and storage pulled out', original: pulled, storage: pulledStore, begin: [pullOriginal, pullStorage], takes: ['original', 'storage'] },
  { what: 'original pulled out, the image\'s user killed', original: pulled, begin: [pullOriginal, killUser], takes: ['original'] },
  { what: 'storage pulled out, the image\'s user killed', storage: pulledStore, begin: [pullStorage, killUser], takes: ['storage'] },
];

/** What is under way when the thing goes. */
