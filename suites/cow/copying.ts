/** The reads of old data at the disk, held and let go. A module may read one chunk after the other or all at once, in requests of any
 *  size, and with one of them several chunks. */
import type { Hold } from '../../vm/index.js';
import { expect, writeElsewhere, type Aio, type Steered } from '../fixtures/index.js';
import { chunkExtent, isAskedFor, touches } from '../oracle/copies.js';

const MIB = 1024 * 1024;
/** QEMU has at most 16 in flight, and does not pass on another write while they are held. */
const HELD_MAX = 12;

export const changing = ['write', 'discard', 'write-zeroes'] as const;

/** Holds the reads of these chunks from now on; not more than HELD_MAX at once, the others pass. */
export function holdReads({ disk, layout }: Pick<Steered, 'disk' | 'layout'>, chunks: readonly number[]): Hold {
  const hold: Hold = disk.hold({
    kind: 'read',
    where: (read) => chunks.some((chunk) => touches(read, chunkExtent(layout, chunk))) && hold.caught.filter(({ isHeld }) => isHeld).length < HELD_MAX,
  });
  return hold;
}

/** Lets the reads go until the chunks are read whole; of those that come together, the last first.
 *  As long as one is held, nothing has changed its chunks. There was a write elsewhere before. */
export async function letReadsGo(s: Steered, hold: Hold, chunks: readonly number[], ...writers: Pick<Aio, 'submitted'>[]): Promise<void> {
  const { disk, layout } = s;
  for (let isWhole = false; !isWhole;) {
    let read = await hold.next();
    while (!read.isHeld) read = await hold.next();
    await writeElsewhere(s, ...writers.splice(0));

    const held = hold.caught.filter(({ isHeld }) => isHeld);
    const waiting = chunks.map((chunk) => chunkExtent(layout, chunk)).filter((extent) => held.some(({ request }) => touches(request, extent)));
    expect(disk.requests({ kind: changing, where: (change) => waiting.some((extent) => touches(change, extent)) }), 'nothing has changed the chunks').toEqual([]);
    isWhole = chunks.every((chunk) => isAskedFor(disk.requests(), layout, chunk));
    for (const one of held.reverse()) one.release();
  }
  hold.release();
}

/** Overwrites so many other chunks that what was copied before is in the storage, and neither in a module's memory nor in a page cache. */
export async function pushOut({ l, data }: Pick<Steered, 'l' | 'data'>): Promise<void> {
  await data.discard(32 * MIB, 32 * MIB);
  await l.sh('blockdev --flushbufs "$1"; echo 3 > /proc/sys/vm/drop_caches', l.disk('store').path);
}
