/** What is said to the actor in the guest and what it must answer; and the names of things there. Pure. */
import type { Area, Device } from './model.js';

export interface Answer {
  readonly errno: number;
  readonly result: number;
  readonly bytes: Buffer;
}

export interface Call {
  readonly line: string;
  /** What it must answer. */
  readonly errno: number | readonly number[];
  /** Looks at the rest of the answer: what is wrong in words, or undefined. May tell the model what could not be foreseen. */
  readonly check?: (answer: Answer) => string | undefined;
}

export interface DeviceNames {
  readonly path: string;
  /** The disk whose partition it is. */
  readonly disk: string;
  /** Major and minor. */
  readonly numbers: readonly number[];
}

export interface Names {
  readonly devices: readonly DeviceNames[];
  /** The block device for difference storage. */
  readonly store: string;
  /** A folder on an ext4. */
  readonly folder: string;
  /** The module's file. */
  readonly module: string;
}

/** Where the partition begins on its disk, sectors. */
export const DISK = { start: 2048, sectors: 2048 + 2 * 2048 + 63 } as const;
export const IMAGE_FOLDER = '/dev/';

export function at(names: Names, { index }: Device): string {
  return names.devices[index]?.path ?? '';
}

export function imageWords({ device, slot }: Area): string {
  return `the image of device ${device.index} in snapshot ${slot}`;
}

/** Numbers as the actor sends them. */
export function words(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readUInt32LE(4 * index));
}
