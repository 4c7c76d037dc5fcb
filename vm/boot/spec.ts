/** What a guest machine is made of, checked and completed with defaults; pure. */
import { flavourNeeds } from './flavour.js';

export interface DiskSpec {
  /** Lower-case letters, digits and dashes, at most 16 characters; also the disk's serial number. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Default virtio. Only scsi disks can be unplugged. */
  readonly bus?: 'virtio' | 'scsi';
  /** Default 512. */
  readonly logicalBlockSize?: 512 | 4096;
  /** Default true: the guest may discard and write zeroes, and the host file is punched. */
  readonly discard?: boolean;
  /** Default false. True: requests come to us and tests may hold or fail them, see vm/disk/programmable.ts. Slower. */
  readonly programmable?: boolean;
}

export interface MachineSpec {
  /** Default 2. */
  readonly cpus?: number;
  /** As much as a kernel of `fast` is to have; other flavours get what they need beyond. Default: what the flavour needs. */
  readonly memoryMiB?: number;
  readonly disks: readonly DiskSpec[];
  /** Default false. True: what probes in the guest's kernel tell is kept, see BootOptions.toldDir. */
  readonly hasProbes?: boolean;
}

export type FullDiskSpec = Required<DiskSpec>;

export interface FullMachineSpec {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly disks: readonly FullDiskSpec[];
  readonly hasProbes: boolean;
}

const DISKS_MAX = 16;

/** Fills in the defaults; throws RangeError for what cannot be built. */
export function completeSpec(spec: MachineSpec, flavour = 'fast'): FullMachineSpec {
  const disks = spec.disks.map((disk): FullDiskSpec => ({
    name: disk.name,
    sizeBytes: disk.sizeBytes,
    bus: disk.bus ?? 'virtio',
    logicalBlockSize: disk.logicalBlockSize ?? 512,
    discard: disk.discard ?? true,
    programmable: disk.programmable ?? false,
  }));
  if (disks.length > DISKS_MAX) throw new RangeError(`a machine has at most ${DISKS_MAX} disks, not ${disks.length}`);
  const seen = new Set<string>();
  for (const { name, sizeBytes, logicalBlockSize } of disks) {
    if (!/^[a-z][a-z0-9-]{0,15}$/.test(name) || name === 'root') throw new RangeError(`not a disk name: ${JSON.stringify(name)}`);
    if (seen.has(name)) throw new RangeError(`two disks are called ${name}`);
    seen.add(name);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % logicalBlockSize !== 0) {
      throw new RangeError(`disk ${name}: ${sizeBytes} bytes are not whole blocks of ${logicalBlockSize}`);
    }
  }
  const needs = flavourNeeds(flavour);
  const memoryMiB = spec.memoryMiB === undefined ? needs.memoryMiB : spec.memoryMiB + needs.overheadMiB;
  return { cpus: spec.cpus ?? 2, memoryMiB, disks, hasProbes: spec.hasProbes ?? false };
}
