/** The ways a device goes, each with a device that goes that way and one beside it that stays. */
import {
  dataDisk, eventually, expect, hotDisk, makeLinear, makeLoop, makePartitions, makeTestDisk, moduleReferences, secondDisk,
  setMedium, storeDisk, thirdDisk, writeTable,
  type Device, type FioOptions, type Lab, type Load,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;

export const disks = [dataDisk, secondDisk, thirdDisk, storeDisk, hotDisk];

export interface Target {
  readonly device: Device;
  /** It stays. */
  readonly other: Device;
  /** Where to write to so that the device is written. */
  readonly where: FioOptions;
  readonly whereOther: FioOptions;
  /** Lets it go. One whose driver waits for the last user goes when the load is ended. */
  readonly remove: () => Promise<void>;
  /** Whether its driver waits, with nobody but the module to have it open. */
  readonly isKept?: () => Promise<boolean>;
  /** Makes a device where the old one was; undefined where this machine cannot. */
  readonly remake?: () => Promise<Device>;
}

export interface Way {
  readonly what: string;
  readonly make: (l: Lab) => Promise<Target>;
}

function whole(device: Device): FioOptions {
  return { filename: device.path, size: '7M' };
}

/** Makes a SCSI disk that was deleted come again. Its host is asked for this address only: for all there are, it takes seconds. */
export async function scsiRescan(l: Lab, disk: Device): Promise<() => Promise<void>> {
  const address = (await l.sh('basename $(readlink -f /sys/block/$1/device)', disk.name)).split(':');
  return async () => { await l.sh('echo "$2 $3 $4" > "/sys/class/scsi_host/host$1/scan"', ...address); };
}

async function scsiDisk(l: Lab): Promise<Target> {
  const device = l.disk('hot');
  const rescan = await scsiRescan(l, device);
  return {
    device,
    other: l.disk('second'),
    where: whole(device),
    whereOther: whole(l.disk('second')),
    remove: async () => { await l.sh('echo 1 > /sys/block/$1/device/delete', device.name); },
    remake: async () => {
      await rescan();
      await exists(l, device);
      return device;
    },
  };
}

async function virtioDisk(l: Lab): Promise<Target> {
  const device = l.disk('third');
  const name = await l.sh('basename $(readlink -f /sys/block/$1/device)', device.name);
  const tell = (verb: string) => l.sh('echo "$1" > "/sys/bus/virtio/drivers/virtio_blk/$2"', name, verb);
  return {
    device,
    other: l.disk('second'),
    where: whole(device),
    whereOther: whole(l.disk('second')),
    remove: async () => { await tell('unbind'); },
    remake: async () => {
      await tell('bind');
      await exists(l, device);
      return device;
    },
  };
}

async function loop(l: Lab): Promise<Target> {
  const device = await makeLoop(l, 8 * MIB);
  return {
    device,
    other: l.disk('data'),
    where: whole(device),
    whereOther: whole(l.disk('data')),
    remove: async () => { await l.sh('losetup -d "$1"', device.path); },
    isKept: async () => (await l.sh('losetup "$1" 2> /dev/null || true', device.path)) !== '',
    remake: async () => {
      await l.sh('losetup "$1" /tmp/backing', device.path);
      return device;
    },
  };
}

async function linear(l: Lab): Promise<Target> {
  const device = await makeLinear(l, 'gone', l.disk('third'), 8 * MIB);
  return {
    device,
    other: l.disk('data'),
    where: whole(device),
    whereOther: whole(l.disk('data')),
    remove: async () => { await l.sh('dmsetup remove --noudevsync --deferred gone'); },
    isKept: async () => Number(await l.sh('dmsetup info -c --noheadings -o open gone 2> /dev/null || true')) > 0,
    remake: () => makeLinear(l, 'gone', l.disk('third'), 8 * MIB),
  };
}

/** The drive stays; what is in it afterwards was never seen by the filter. */
async function drive(l: Lab, goes: 'insert' | 'eject'): Promise<Target> {
  const device = await makeTestDisk(l);
  const open = 'blockdev --getsz "$1" > /dev/null';
  return {
    device,
    other: l.disk('data'),
    where: whole(device),
    whereOther: whole(l.disk('data')),
    remove: async () => {
      await setMedium(l, goes);
      await l.sh(goes === 'insert' ? open : `! ${open} 2> /dev/null`, device.path);
    },
    remake: async () => {
      if (goes === 'eject') await setMedium(l, 'insert');
      return device;
    },
  };
}

const first = { start: MIB, length: 7 * MIB };
const second = { start: 8 * MIB + 512, length: 7 * MIB };

/** No partition is open, for then the table cannot be read again: they are written through the whole disk. */
async function partition(l: Lab, goes: (disk: Device) => Promise<void>): Promise<Target> {
  const disk = l.disk('data');
  const [device, other] = await makePartitions(l, disk, [first, second]) as [Device, Device];
  return {
    device,
    other,
    where: { filename: disk.path, offset: first.start, size: first.length },
    whereOther: { filename: disk.path, offset: second.start, size: second.length },
    remove: () => goes(disk),
    remake: async () => {
      await l.sh('blkio delpart "$1" 1 2>/dev/null || true; blkio addpart "$1" 1 "$2" "$3"', disk.path, `${first.start}`, `${first.length}`);
      return device;
    },
  };
}

async function readAgain(l: Lab, disk: Device, table: Parameters<typeof writeTable>[2]): Promise<void> {
  await writeTable(l, disk, table);
  await l.sh('blockdev --rereadpt "$1"', disk.path);
}

export const ways: readonly Way[] = [
  { what: 'a disk is pulled out', make: async (l) => {
    // Without `remake`: this machine plugs nothing in.
    const { remake: _, ...target } = await scsiDisk(l);
    return { ...target, remove: () => l.guest.unplug('hot') };
  } },
  { what: 'a SCSI disk is deleted', make: scsiDisk },
  { what: 'the driver of a disk is unbound', make: virtioDisk },
  { what: 'a loop device is detached', make: loop },
  { what: 'a device-mapper device is removed', make: linear },
  { what: 'the medium of a drive is changed', make: (l) => drive(l, 'insert') },
  { what: 'the medium of a drive is taken out', make: (l) => drive(l, 'eject') },
  { what: 'a partition is deleted', make: (l) => partition(l, async (disk) => { await l.sh('blkio delpart "$1" 1', disk.path); }) },
  { what: 'a partition table without the partition is read', make: (l) => partition(l, (disk) => readAgain(l, disk, [undefined, second])) },
  { what: 'a partition table with a smaller partition is read', make: (l) => partition(l, (disk) => readAgain(l, disk, [{ ...first, length: MIB }, second])) },
];

export const KEPT = 'the module has a device that is held open, so that its driver keeps it';

/** Lets a device of a snapshot go, and ends the load that is on it; tells whether it goes. */
export async function letGo({ remove, isKept }: Target, load?: Load): Promise<boolean> {
  const isRefused = await remove().then(() => false, (error: Error) => {
    expect(error.message).toMatch(/busy/i);
    return true;
  });
  await load?.abandon();
  return !isRefused && !await isKept?.();
}

export async function exists(l: Lab, device: Device): Promise<void> {
  await eventually(`${device.path}`, () => l.sh('[ -b "$1" ] && echo there || echo absent', device.path), (seen) => seen === 'there');
}

/** The device has gone, or what is at its place has no filter, and the module knows: it has fewer references than `before`, see
 *  moduleReferences(). The attribute is empty first; the filter's reference goes last, when its calls have returned. */
export async function lostFilter(l: Lab, device: Device, before: number): Promise<void> {
  await eventually(`the end of the filter of ${device.path}`, () => l.isAttached(device), (seen) => !seen);
  await eventually('fewer references of the module', () => moduleReferences(l), (seen) => seen < before);
}
