/** The words of the explorer: what a sequence is made of. Pure data; each step can follow any other.
 *  Places and counts in sectors of 512 bytes. What lies beyond a device's end is cut off. */

export type WriteMode = 'direct' | 'buffered';
export type StorageKind = 'block' | 'tmpfs' | 'ext4';

export interface Range {
  readonly at: number;
  readonly count: number;
}

export interface WriteStep extends Range {
  readonly do: 'write';
  readonly dev: number;
  readonly mode: WriteMode;
}

/** `slot` names a snapshot. */
export interface ImageReadStep extends Range {
  readonly do: 'image-read';
  readonly slot: number;
  readonly dev: number;
  readonly mode: WriteMode;
}

export interface CreateStep {
  readonly do: 'create';
  readonly slot: number;
  readonly storage: StorageKind;
  readonly limit: number;
  /** KiB that the file system has; for tmpfs. */
  readonly room: number;
}

export type Step =
  | WriteStep
  | ImageReadStep
  | CreateStep
  | { readonly do: 'zero' | 'discard'; readonly dev: number } & Range
  /** All at the same time. */
  | { readonly do: 'threads'; readonly ops: readonly (WriteStep | ImageReadStep)[] }
  | { readonly do: 'attach' | 'detach'; readonly dev: number }
  | { readonly do: 'add'; readonly slot: number; readonly dev: number }
  | { readonly do: 'take' | 'destroy' | 'event'; readonly slot: number }
  | { readonly do: 'collect'; readonly room: number }
  | { readonly do: 'image-write'; readonly slot: number; readonly dev: number } & Range
  /** Blocks, not cut off. */
  | { readonly do: 'map'; readonly dev: number; readonly offset: number; readonly length: number }
  /** Not cut off. */
  | { readonly do: 'mark'; readonly dev: number; readonly ranges: readonly Range[] }
  /** Of the partition, device 2. */
  | { readonly do: 'remove' | 'return' }
  | { readonly do: 'resize'; readonly size: number }
  | { readonly do: 'reload' }
  /** So many snapshots of one device, each taken and destroyed: its numbers end at 255. */
  | { readonly do: 'rounds'; readonly dev: number; readonly count: number }
  /** Reads all devices and images. */
  | { readonly do: 'check' };

export type StepKind = Step['do'];

export interface Params {
  /** log2 of bytes */
  readonly chunkShift: number;
  readonly blockShift: number;
  /** Sectors by which a storage grows. */
  readonly portion: number;
}

export interface Sequence {
  readonly params: Params;
  readonly steps: readonly Step[];
}

export const DEVICES = 3;
/** The device that can be removed and resized. */
export const PARTITION = 2;
export const SLOTS = 4;
export const SECTOR = 512;
const MIB_SECTORS = 2048;
/** 1 MiB and a little: the last block and the last chunk are partial, and the page cache goes by single sectors. */
export const DEVICE_SECTORS: readonly number[] = [MIB_SECTORS + 3, MIB_SECTORS + 3, MIB_SECTORS + 5];
/** As large as the partition may get. */
export const PARTITION_MAX = 2 * MIB_SECTORS + 1;
export const STORE_SECTORS = 16 * MIB_SECTORS;
/** An image is written with one bio, so that a full storage stops it at a place that is known. */
export const IMAGE_WRITE_MAX = 512;
/** Collected ids at most. */
export const ROOM_MAX = 15;

export const errno = {
  none: 0, ENOENT: 2, ESRCH: 3, EIO: 5, ENXIO: 6, EAGAIN: 11, EBUSY: 16, ENODEV: 19, EINVAL: 22, ENOSPC: 28, ERANGE: 34,
  ENODATA: 61, EALREADY: 114,
} as const;

export function errnoName(number: number): string {
  if (number === 0) return 'success';
  return Object.entries(errno).find(([, value]) => value === number)?.[0] ?? `error ${number}`;
}
