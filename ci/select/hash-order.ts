/** An order that looks like chance and is always the same for the same texts: with the run's seed in them, what a run takes of much.
 *  Pure. */
import { createHash } from 'node:crypto';

export function hashOrder<T>(items: readonly T[], textOf: (item: T) => string): T[] {
  const placed = items.map((item) => ({ item, place: createHash('sha256').update(textOf(item)).digest('hex') }));
  return placed.sort((a, b) => (a.place < b.place ? -1 : 1)).map(({ item }) => item);
}
