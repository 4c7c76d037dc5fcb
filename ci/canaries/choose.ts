/** Which canaries a run carries: by its seed, so that the run can be repeated, and over many runs all have their turn. Pure. */
import { hashOrder } from '../select/hash-order.js';

/** A run of fewer tests is somebody's who looks at one thing, and waits for it. */
const testsWorthOne = 20;
const usual = 2;

/** How many, when nobody says. */
export function usualCanaries(tests: number): number {
  return tests >= testsWorthOne ? usual : 0;
}

/** All of them, in the order in which they are to be tried: one that does not fit the code is passed over. */
export function inTurn<C extends { readonly mutant: { readonly name: string } }>(canaries: readonly C[], seed: number): C[] {
  return hashOrder(canaries, ({ mutant }) => `${seed} ${mutant.name}`);
}
