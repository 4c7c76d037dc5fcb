/** What is told of a change that nobody could see: the argument. Pure. */
import type { Mutant } from '../load.js';
import type { MutantResult } from '../results.js';

export function equivalentResult(mutant: Mutant, why: string): MutantResult {
  return {
    mutant, verdict: 'equivalent', note: why, killedAfterMs: undefined, sight: undefined, wallMs: 0,
    killedBy: [], alsoFailed: [], passed: [], unsure: [], isExact: undefined,
  };
}
