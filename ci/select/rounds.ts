/** --repeat N: the selection runs N times, each round with a seed of its own that comes from the run's seed. */
import type { Variant } from '../report/variant.js';

export interface Round {
  readonly seed: number;
  /** Undefined when there is one round only. */
  readonly variant: Variant | undefined;
}

/** The first round has the run's own seed. */
export function roundsOf(seed: number, count: number): Round[] {
  if (count === 1) return [{ seed, variant: undefined }];
  return Array.from({ length: count }, (_, at) => {
    const own = seedOfRound(seed, at);
    return { seed: own, variant: { label: `round ${at + 1}`, facts: { seed: String(own), round: String(at + 1) } } };
  });
}

/** Steps by an odd number visit every 32-bit number once before one comes again, so no two rounds share a seed. */
function seedOfRound(seed: number, at: number): number {
  return (seed + Math.imul(at, 0x9e3779b1)) >>> 0;
}
