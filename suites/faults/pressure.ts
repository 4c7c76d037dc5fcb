/** The difference storage's file system is in trouble during the hold. Either the snapshot is lost, for the reason that there is,
 *  or its image is right; the device has all that was written to it, and after the trouble there is as much space as before.
 *  Method: overwrite a part of the device, make the trouble, overwrite the rest. Definitions for pressure.test.ts. */
import {
  eventually, expect, filledSectors, makeFileSystem, type Device, type FaultLog, type FileSystem, type Lab, type LabOptions,
} from '../fixtures/index.js';

export const MIB = 1024 * 1024;
const CAPACITY = 16 * MIB + 3 * 512;
/** Of growth: diff_storage_minimum. */
const PORTION = 2 * MIB;
export const params = { diff_storage_minimum: PORTION / 512 };
export const DIR = '/mnt/store';
export const FILE = `${DIR}/diff`;
/** FS_IOC_SHUTDOWN, and what it is told: the log is not written any more. */
const SHUTDOWN = 0x8004587d;
const NO_LOG_FLUSH = '02000000';

export interface Trouble {
  readonly what: string;
  readonly on: FileSystem;
  readonly more?: readonly string[];
  readonly options?: string;
  /** Before the snapshot is made. */
  readonly prepare?: (l: Lab) => Promise<unknown>;
  /** Returns what it hit. */
  readonly make: (l: Lab) => Promise<string>;
  /** After the snapshot is destroyed. Default: nothing has to be done. */
  readonly end?: (l: Lab) => Promise<unknown>;
  /** Why the snapshot is lost, whichever comes first; undefined when it is not. */
  readonly lost?: readonly string[];
  /** What must be seen in the kernel log, so that the trouble has come to pass. */
  readonly seen?: RegExp;
}

const mountAgain = (l: Lab): Promise<string> => l.sh('mount "$1" "$2"', l.disk('store').path, DIR);

async function remount(l: Lab): Promise<void> {
  await l.sh(`umount ${DIR}`);
  await mountAgain(l);
}

/** Leaves so much room in the file system. */
export async function fillUp(l: Lab, left: number): Promise<string> {
  const shrink = `truncate -s $(($(stat -c %s ${DIR}/filler) - $1)) ${DIR}/filler`;
  await l.sh(`cat /dev/zero > ${DIR}/filler 2> /dev/null || true; sync; ${shrink}; sync`, `${left}`);
  return `${await l.sh(`stat -f -c %f ${DIR}`)} blocks are free`;
}

const emptyAgain = (l: Lab): Promise<string> => l.sh(`rm -f ${DIR}/filler`);

async function shutDown(l: Lab): Promise<string> {
  await l.guest.run(['blkio', 'ioctl', '--rdonly', DIR, `${SHUTDOWN}`, NO_LOG_FLUSH]);
  return `${await l.sh(`! ls ${DIR} 2>&1 || true`)}, its log not written`;
}

async function makeReadOnly(l: Lab): Promise<string> {
  await expect(l.sh('mount -o remount,ro "$1"', DIR)).rejects.toThrow(/busy/);
  await l.sh('echo u > /proc/sysrq-trigger');
  const flags = (): Promise<string> => l.sh(`grep " ${DIR} " /proc/mounts`);
  return eventually('a file system that is read-only', flags, (line) => /\bro,/.test(line));
}

export const troubles: readonly Trouble[] = (['ext4', 'XFS'] as const).flatMap((on): Trouble[] => [
  { what: 'is full', on, make: (l) => fillUp(l, 3 * MIB), end: emptyAgain, lost: ['ENOSPC'] },
  {
    what: 'is full, the file having been made large before', on, prepare: (l) => l.sh(`truncate -s 32M ${FILE}`),
    make: (l) => fillUp(l, 3 * MIB), end: emptyAgain, lost: ['ENOSPC'],
  },
  { what: 'is shut down', on, make: shutDown, end: remount, lost: ['EIO', 'ENOSPC'], seen: /shut.?down/i },
  {
    what: 'has no name for the file any more', on,
    make: async (l) => `${await l.sh(`rm ${FILE}; ls ${DIR} | grep -c diff || true`)} names left`,
  },
  {
    what: 'is not mounted anywhere any more', on, end: mountAgain,
    make: (l) => l.sh(`umount -l ${DIR}; grep ${DIR} /proc/mounts || echo no mount`),
  },
]);

export const readOnly: readonly Trouble[] = (['ext4', 'XFS'] as const).map((on) => (
  { what: 'is made read-only', on, make: makeReadOnly, end: remount, lost: ['EROFS', 'ENOSPC', 'EIO'] }
));

/** Blocks that are free, when all is written. */
export function freeBlocks(l: Lab): Promise<string> {
  return l.sh(`sync; stat -f -c "%f blocks" ${DIR}`);
}

/** What the file has of them. */
export function blocksOfFile(l: Lab): Promise<string> {
  return l.sh(`sync; stat -c "%b blocks" ${FILE}`);
}

export async function mountStore(l: Lab, on: FileSystem, more: readonly string[] = [], options = 'defaults'): Promise<void> {
  await makeFileSystem(on, l.guest.disk('store').hostPath, more);
  await l.sh(`mkdir -p ${DIR}; mount -o "$2" "$1" ${DIR}`, l.disk('store').path, options);
  l.defer(() => l.sh(`umount ${DIR}`));
}

export interface Run {
  readonly lab: (options?: LabOptions) => Promise<Lab>;
  readonly faults: FaultLog;
}

async function expectDevice(data: Device, version: number): Promise<void> {
  await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(CAPACITY, version));
}

export async function expectThrough({ lab, faults }: Run, trouble: Trouble): Promise<void> {
  const l = await lab({ params });
  const data = l.disk('data');
  await data.fill(1);
  await mountStore(l, trouble.on, trouble.more, trouble.options);
  const free = await freeBlocks(l);
  await l.sh(`touch ${FILE}`);
  await trouble.prepare?.(l);
  const before = await blocksOfFile(l);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '32M' });
  const image = await snapshot.image(data);
  await data.fill(2, { length: MIB });

  const hit = await trouble.make(l);
  await data.fill(2, { offset: MIB });

  if (trouble.lost) {
    const event = await snapshot.waitEvent();
    expect(event).toMatchObject({ event: 'corrupted' });
    expect(trouble.lost).toContain(event.error_name);
    await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
    await expect(image.read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  } else {
    await expect(await image.sectors()).toHoldSectorsOf(filledSectors(CAPACITY, 1));
  }
  await expectDevice(data, 2);
  await snapshot.destroy();
  if (trouble.what.startsWith('is full')) expect(await blocksOfFile(l)).toBe(before);
  await trouble.end?.(l);
  if (trouble.seen) expect((await l.guest.klog()).map(({ text }) => text).join('\n')).toMatch(trouble.seen);
  await l.sh(`rm -f ${FILE}`);
  expect(await freeBlocks(l)).toBe(free);

  await l.takeSnapshot(data, { storage: FILE, limit: '8M' });
  await data.fill(3);
  await expectDevice(data, 3);
  const verdict = trouble.lost ? `the snapshot is lost with ${trouble.lost.join(' or ')}` : 'the image is right';
  faults.record({
    kind: 'call', operation: 'file system of the storage', point: `${trouble.on} ${trouble.what}`, hit,
    verdict: `${verdict}, the device goes on, ${free} free again`,
  });
}
