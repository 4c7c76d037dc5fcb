/** What the log of a disk must say of copy-on-write: each chunk is read whole, once, and before anything changes it; pure. */
import type { DiskRequest } from '../../vm/index.js';

export interface ChunkLayout {
  /** Sectors of a chunk. */
  readonly chunk: number;
  /** Sectors of the device. */
  readonly capacity: number;
  /** The device's first sector on the disk; default 0. */
  readonly start?: number;
}

export interface Extent {
  /** Sectors of the disk; the end is behind it. */
  readonly start: number;
  readonly end: number;
}

const changing: readonly string[] = ['write', 'discard', 'write-zeroes'];

/** Where a chunk is on the disk; the last one of a device is shorter. */
export function chunkExtent({ chunk, capacity, start = 0 }: ChunkLayout, number: number): Extent {
  return { start: start + number * chunk, end: start + Math.min((number + 1) * chunk, capacity) };
}

const touches = ({ sector, sectors }: DiskRequest, extent: Extent): boolean => sector < extent.end && sector + sectors > extent.start;

/** One line for each promise broken, by chunk; empty when all is well. */
export function copyFaults(requests: readonly DiskRequest[], layout: ChunkLayout): string[] {
  const faults: string[] = [];
  for (let number = 0; number * layout.chunk < layout.capacity; number++) {
    const extent = chunkExtent(layout, number);
    const here = requests.filter((request) => touches(request, extent));
    const reads = here.filter(({ kind }) => kind === 'read').sort((a, b) => a.sector - b.sector);
    const changes = here.filter(({ kind }) => changing.includes(kind));
    const firstChange = Math.min(...changes.map(({ arrived }) => arrived));
    const say = (what: string): void => { faults.push(`chunk ${number}: ${what}`); };

    if (changes.length === 0) {
      if (reads.length > 0) say('read although nothing changes it');
      continue;
    }
    let at = extent.start;
    for (const read of reads) {
      if (read.sector < at) say(`sector ${read.sector} read twice, or with what is not its own`);
      if (read.sector > at) say(`sectors ${at} to ${read.sector - 1} not read`);
      at = Math.max(at, read.sector + read.sectors);
      if ((read.answered ?? Infinity) > firstChange) say(`changed at ${firstChange}, before its read at sector ${read.sector} was answered at ${read.answered ?? 'no time'}`);
    }
    if (at < extent.end) say(`sectors ${at} to ${extent.end - 1} not read`);
    if (at > extent.end) say(`read up to sector ${at - 1}, beyond its end`);
  }
  return faults;
}
