/** The space of a difference storage: what is taken, and how far it may grow. Pure. Sectors. */
import { STORE_SECTORS, type CreateStep } from './steps.js';

const PAGE = 8;

export type Fit = 'fits' | 'full' | 'either';

export class Storage {
  /** What it has once it has grown as far as it can; 0: not even the first portion is to be had. */
  readonly capacity: number;
  /** Between these two; they differ once it is full, since copies that are under way then may or may not get a place. */
  usedLeast = 0;
  usedMost = 0;

  constructor({ storage, limit, room }: Pick<CreateStep, 'storage' | 'limit' | 'room'>, portion: number) {
    if (storage === 'block') this.capacity = Math.min(limit, STORE_SECTORS);
    else if (storage === 'ext4') this.capacity = limit;
    else this.capacity = grown(limit, portion, room * 2);
  }

  /** Takes place for a copy of so many sectors. */
  take(sectors: number): Fit {
    const need = Math.ceil(sectors / PAGE) * PAGE;
    if (this.usedMost + need <= this.capacity) {
      this.usedLeast += need;
      this.usedMost += need;
      return 'fits';
    }
    return this.usedLeast + need > this.capacity ? 'full' : 'either';
  }

  /** It was full for a copy of so many sectors while others may have been under way. */
  wasFull(sectors: number): void {
    const need = Math.ceil(sectors / PAGE) * PAGE;
    this.usedLeast = Math.max(this.usedLeast, this.capacity - need + 1);
    this.usedMost = this.capacity;
  }
}

/** Portion by portion, each in whole or not at all; the file system gives whole pages. */
function grown(limit: number, portion: number, room: number): number {
  let capacity = 0;
  while (capacity < limit) {
    const next = capacity + Math.min(portion, limit - capacity);
    if (Math.ceil(next / PAGE) * PAGE > Math.floor(room / PAGE) * PAGE) break;
    capacity = next;
  }
  return capacity;
}
