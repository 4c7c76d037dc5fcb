/** A snapshot whose difference storage is a file, of which four chunks are stored and known to be; how to come upon what a module stores,
 *  whichever way that goes to the disk; and what its image may say when that has failed. */
import type { HeldRequest, Hold, ProgrammableDisk } from '../../vm/index.js';
import {
  aio, CHUNK, dataDisk, eventually, expect, filledSectors, largeDisk, mountExt4, startAio, storeDisk,
  type Aio, type Device, type Lab, type LabOptions, type Snapshot,
} from '../fixtures/index.js';

export const SECTOR = 512;
const MIB = 1024 * 1024;
const STORED = 4;

export const fileLab: LabOptions = { disks: [dataDisk, storeDisk, largeDisk], params: { diff_storage_minimum: 2 * MIB / SECTOR } };

export const fileSystems: Readonly<Record<string, (l: Lab) => Promise<string>>> = {
  tmpfs: async (l) => {
    await l.sh('mkdir -p /mnt/store; mount -t tmpfs none /mnt/store');
    l.defer(() => l.sh('umount /mnt/store'));
    return '/mnt/store/diff';
  },
  ext4: async (l) => {
    await mountExt4(l, l.disk('store'), '/mnt/store');
    return '/mnt/store/diff';
  },
  xfs: async (l) => {
    await l.sh('mkfs.xfs -q -f "$1"; mkdir -p /mnt/store; mount "$1" /mnt/store', l.disk('large').path);
    l.defer(() => l.sh('umount /mnt/store'));
    return '/mnt/store/diff';
  },
};

export interface OnFile {
  readonly data: Device;
  readonly snapshot: Snapshot;
  readonly image: Device;
  readonly file: string;
}

/** Writes the start of each of these chunks. */
export function overwrite(data: Device, first: number, count: number): Promise<readonly (number | string)[]> {
  return aio(data, Array.from({ length: count }, (_, n) => ({ offset: (first + n) * CHUNK, length: 4096 })));
}

/** Has other chunks copied, so that a module that keeps the latest in memory keeps these. */
export async function copyOthers(data: Device): Promise<void> {
  expect(await overwrite(data, 16, 8)).toEqual(Array.from({ length: 8 }, () => 4096));
}

/** Chunks 0 to 3 are in the file, wherever. */
export async function storeInFile(l: Lab, file: string): Promise<OnFile> {
  const data = l.disk('data');
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: file, limit: '8M' });
  const image = await snapshot.image(data);
  await overwrite(data, 0, STORED);
  await copyOthers(data);
  const { sums } = filledSectors(STORED * CHUNK, 1);
  const sumsOfFile = async (): Promise<Set<number>> => new Set((await l.device(file).sectors()).sums);
  await eventually('the chunks in the file', async () => { const there = await sumsOfFile(); return sums.filter((sum) => !there.has(sum)).length; }, (left) => left === 0);
  return { data, snapshot, image, file };
}

/** Each of these chunks of the image is what was at the cut, or an I/O error, and of a lost image nothing is given out. Says what came of it. */
export async function lookAtChunks({ data, image }: Pick<OnFile, 'data' | 'image'>, chunks: readonly number[]): Promise<string> {
  let right = 0;
  for (const chunk of chunks) {
    const { error_name: lost } = await data.snapshotInfo();
    const seen = await image.sectorsAt(chunk * CHUNK, CHUNK).catch((error: { errno?: string }) => {
      if (error.errno !== 'EIO') throw error as Error;
      return undefined;
    });
    if (!seen) continue;
    expect(lost, 'a lost image gives nothing out').toBe(null);
    await expect(seen).toHoldSectorsOf({ what: 'version 1', sums: filledSectors((chunk + 1) * CHUNK, 1).sums.slice(chunk * CHUNK / SECTOR) });
    right += 1;
  }
  return `${right} of ${chunks.length} chunks right, EIO for the others`;
}

/** If the snapshot is lost, it has said so. */
export async function expectTold({ data, snapshot }: Pick<OnFile, 'data' | 'snapshot'>): Promise<void> {
  const { error_name: lost } = await data.snapshotInfo();
  if (lost !== null) expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', error_name: lost });
}

/** A read of the image that waits for a read of the storage, which is held back; undefined if the module never reads what it has stored. */
export async function holdStoredRead(
  l: Lab, store: ProgrammableDisk, image: Device, offset: number,
): Promise<{ hold: Hold; held: HeldRequest; reading: Aio } | undefined> {
  const hold = store.hold({ kind: 'read' });
  const caught = hold.next().catch(() => undefined);
  for (;;) {
    await l.sh('sync; echo 3 > /proc/sys/vm/drop_caches');
    const reading = startAio(image, [{ op: 'read', offset, length: 4096 }]);
    const held = await Promise.race([caught, reading.done.then(() => 'none' as const)]);
    if (held === undefined) {
      hold.release();
      return undefined;
    }
    if (held !== 'none') return { hold, held, reading };
  }
}
