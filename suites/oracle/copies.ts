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

/** It has a part of the extent. */
export function touches({ sector, sectors }: Pick<DiskRequest, 'sector' | 'sectors'>, extent: Extent): boolean {
  return sector < extent.end && sector + sectors > extent.start;
}

interface Read extends Extent {
  readonly answered: number | undefined;
}

/** Reads of a chunk, each cut to it: one may be for several chunks. What it has beside the device stays, for nobody may ask for that. */
function readsOf(requests: readonly DiskRequest[], layout: ChunkLayout, number: number): Read[] {
  const extent = chunkExtent(layout, number);
  const start = number === 0 ? -Infinity : extent.start;
  const end = (number + 1) * layout.chunk < layout.capacity ? extent.end : Infinity;
  return requests
    .filter((request) => request.kind === 'read' && touches(request, extent))
    .map(({ sector, sectors, answered }) => ({ start: Math.max(sector, start), end: Math.min(sector + sectors, end), answered }))
    .sort((a, b) => a.start - b.start);
}

/** The chunk's reads are on their way, or answered, for each of its sectors. */
export function isAskedFor(requests: readonly DiskRequest[], layout: ChunkLayout, number: number): boolean {
  const { start, end } = chunkExtent(layout, number);
  let at = start;
  for (const read of readsOf(requests, layout, number)) {
    if (read.start <= at) at = Math.max(at, read.end);
  }
  return at >= end;
}

/** One line for each promise broken, by chunk; empty when all is well. */
export function copyFaults(requests: readonly DiskRequest[], layout: ChunkLayout): string[] {
  const faults: string[] = [];
  for (let number = 0; number * layout.chunk < layout.capacity; number++) {
    const extent = chunkExtent(layout, number);
    const reads = readsOf(requests, layout, number);
    const changes = requests.filter((request) => changing.includes(request.kind) && touches(request, extent));
    const firstChange = Math.min(...changes.map(({ arrived }) => arrived));
    const say = (what: string): void => { faults.push(`chunk ${number}: ${what}`); };

    if (changes.length === 0) {
      if (reads.length > 0) say('read although nothing changes it');
      continue;
    }
    let at = extent.start;
    for (const read of reads) {
      if (read.start < at) say(`sector ${read.start} read twice, or with what is not its own`);
      if (read.start > at) say(`sectors ${at} to ${read.start - 1} not read`);
      at = Math.max(at, read.end);
      if ((read.answered ?? Infinity) > firstChange) say(`changed at ${firstChange}, before its read at sector ${read.start} was answered at ${read.answered ?? 'no time'}`);
    }
    if (at < extent.end) say(`sectors ${at} to ${extent.end - 1} not read`);
    if (at > extent.end) say(`read up to sector ${at - 1}, beyond its end`);
  }
  return faults;
}
