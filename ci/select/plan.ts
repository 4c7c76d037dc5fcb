/** All that a run is to run, in one fixed order, and the part of it that this machine runs (--shard i/n).
 *  The order comes from the test files alone, so every machine with the same commit makes the same split. */
import { createHash } from 'node:crypto';
import { UsageError } from '../cli/exit-codes.js';
import type { Variant } from '../report/variant.js';
import type { Selection } from './select.js';

export interface Shard {
  /** From 1 to `count`. */
  readonly index: number;
  readonly count: number;
}

/** A selection, run once; several when it runs in rounds or on more than one flavour. */
export interface Part {
  readonly selection: Selection;
  readonly variant?: Variant | undefined;
}

export interface Plan<P extends Part = Part> {
  /** Tests of the whole run, over all parts and shards. */
  readonly total: number;
  /** Short hash of the whole list in its order: equal when the lists are. */
  readonly digest: string;
  /** What this shard runs; each test knows its position in the whole list. */
  readonly parts: readonly P[];
}

/** Every test is in exactly one shard, and no shard has more than one test more than another. Neighbours go to different
 *  shards, since tests of one file cost alike. Throws UsageError when some shard would be empty. */
export function makePlan<P extends Part>(parts: readonly P[], shard: Shard): Plan<P> {
  const keys = parts.flatMap(({ selection, variant }) =>
    selection.tests.map(({ file, name }) => JSON.stringify([file, name, variant?.label ?? ''])));
  if (shard.count > 1 && shard.count > keys.length) {
    throw new UsageError(`--shard ${shard.index}/${shard.count}: there are only ${keys.length} tests, so some shards would be empty`);
  }
  let before = 0;
  const isMine = (position: number) => (position - 1) % shard.count === shard.index - 1;
  return {
    total: keys.length,
    digest: createHash('sha256').update(keys.join('\n')).digest('hex').slice(0, 16),
    parts: parts.map((part) => {
      const { tests, broken } = part.selection;
      const placed = tests.map((test, at) => ({ ...test, position: before + at + 1 }));
      before += tests.length;
      const selection: Selection = {
        tests: placed.filter(({ position }) => isMine(position)),
        // They have no tests that could be counted, and are shared out like the tests.
        broken: broken.filter((_, at) => isMine(at + 1)),
      };
      return { ...part, selection };
    }),
  };
}
