/** A snapshot whose difference storage is a file, of which four chunks are stored and known to be. */
import { CHUNK, aio, dataDisk, eventually, largeDisk, mountExt4, storeDisk, type Device, type Lab, type LabOptions, type Snapshot } from '../fixtures/index.js';

export const SECTOR = 512;
const MIB = 1024 * 1024;
const STORED = 4;
/** Each sector that was filled begins with it. */
const MAGIC = 'BLKS';

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

/** Chunks 0 to 3 are in the file, in this order. */
export async function storeInFile(l: Lab, file: string): Promise<OnFile> {
  const data = l.disk('data');
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: file, limit: '8M' });
  const image = await snapshot.image(data);
  for (let chunk = 0; chunk < STORED; chunk++) {
    await overwrite(data, chunk, 1);
    const isStored = async () => (await l.device(file).read(chunk * CHUNK, SECTOR)).subarray(0, MAGIC.length).toString('latin1');
    await eventually(`chunk ${chunk} in the file`, isStored, (seen) => seen === MAGIC);
  }
  return { data, snapshot, image, file };
}
