/** What the change map must be: CBT-01 to CBT-05, from the specification and not from the module.
 *  Sizes in bytes. Knows nothing of guests. */

export interface Granularity {
  readonly minimumShift: number;
  readonly maximumCount: number;
  readonly maximumShift: number;
}

export const defaultTracking: Granularity = { minimumShift: 16, maximumCount: 2_097_152, maximumShift: 26 };
export const defaultChunks: Granularity = { minimumShift: 18, maximumCount: 2_097_152, maximumShift: 26 };

/** The smallest power of two, not below the minimum, that needs at most the maximum count; capped. */
export function unitSize(capacityBytes: number, rule: Granularity): number {
  for (let shift = rule.minimumShift; ; shift++) {
    const size = 2 ** shift;
    if (Math.ceil(capacityBytes / size) <= rule.maximumCount || shift >= rule.maximumShift) return size;
  }
}

const NUMBER_MAX = 255;

/** The change map of one device. */
export class CbtModel {
  readonly blockSize: number;
  readonly blockCount: number;
  /** Counts generations; two maps of one generation compare. */
  generation = 0;
  /** What marks carry now. */
  number = 1;
  /** What marks carried up to the latest take. */
  takenNumber = 0;
  readonly #active: Uint8Array<ArrayBuffer>;
  #frozen: Uint8Array<ArrayBuffer>;

  constructor(capacityBytes: number, rule: Granularity = defaultTracking) {
    this.blockSize = unitSize(capacityBytes, rule);
    this.blockCount = Math.ceil(capacityBytes / this.blockSize);
    this.#active = new Uint8Array(this.blockCount);
    this.#frozen = new Uint8Array(this.blockCount);
  }

  /** A change of `length` bytes at `offset`. */
  mark(offset: number, length: number): void {
    this.#fill(this.#active, offset, length);
  }

  /** A change that belongs to the snapshot that is held as well. */
  markBoth(offset: number, length: number): void {
    this.mark(offset, length);
    this.#fill(this.#frozen, offset, length);
  }

  take(): void {
    if (this.number < NUMBER_MAX) {
      this.#frozen = this.#active.slice();
      this.takenNumber = this.number;
      this.number += 1;
      return;
    }
    this.#active.fill(0);
    this.#frozen = new Uint8Array(this.blockCount);
    this.takenNumber = 0;
    this.number = 1;
    this.generation += 1;
  }

  get frozen(): Uint8Array {
    return this.#frozen.slice();
  }

  #fill(map: Uint8Array, offset: number, length: number): void {
    if (length > 0) map.fill(this.number, Math.floor(offset / this.blockSize), Math.floor((offset + length - 1) / this.blockSize) + 1);
  }
}

/** Blocks to copy for who remembers `since`. */
export function changedSince(map: Uint8Array, since: number): number[] {
  return [...map.keys()].filter((block) => (map[block] as number) > since);
}
