/** The guest that sequences run in: three small devices, of which one is a partition, and room for difference storage. */
import type { DiskSpec } from '../../vm/index.js';
import { moduleInGuest, type Lab, type LabOptions } from '../fixtures/lab.js';
import { Actor } from './actor.js';
import { DISK, words, type DeviceNames, type Names } from './calls.js';
import { DEVICE_SECTORS, SECTOR, STORE_SECTORS } from './steps.js';

const disk = (name: string, sectors: number): DiskSpec => ({ name, sizeBytes: sectors * SECTOR });
const FS_SECTORS = 96 * 1024;

export const explorerLab: LabOptions = {
  disks: [
    disk('first', DEVICE_SECTORS[0] as number), disk('second', DEVICE_SECTORS[1] as number), disk('parted', DISK.sectors),
    disk('store', STORE_SECTORS), disk('folder', FS_SECTORS),
  ],
  loadModule: false,
  programs: { actor: 'vm/guest/tools/actor.c' },
};

export interface Stage {
  readonly lab: Lab;
  readonly actor: Actor;
  readonly names: Names;
}

const FOLDER = '/tmp/explorer';

/** Makes a fresh guest ready for sequences; with the folder for those that store on ext4. */
export async function setStage(lab: Lab, hasFolder = true): Promise<Stage> {
  const actor = new Actor(lab);
  const path = (name: string): string => lab.disk(name).path;
  if (hasFolder) await lab.sh('mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$1"; mkdir -p "$2"; mount "$1" "$2"', path('folder'), FOLDER);
  const parted = path('parted');
  const paths = [[path('first'), path('first')], [path('second'), path('second')], [`${parted}1`, parted]] as const;
  const [, ...answers] = await actor.ask([
    `part ${parted} add ${DISK.start} ${DEVICE_SECTORS[2]}`, ...paths.map(([own]) => `numbers ${own}`), `part ${parted} del 0 0`,
  ]);
  const devices = paths.map(([own, whole], index): DeviceNames => ({
    path: own, disk: whole, numbers: [...words(answers[index]?.bytes ?? Buffer.alloc(0))],
  }));
  return { lab, actor, names: { devices, store: path('store'), folder: FOLDER, module: moduleInGuest } };
}

/** Takes it down again, so that what a sequence has left behind can be looked for. */
export async function clearStage({ lab, actor }: Stage): Promise<void> {
  await actor.end();
  await lab.sh('! grep -q " $1 " /proc/mounts || umount "$1"', FOLDER);
}
