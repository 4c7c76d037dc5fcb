/** Whatever goes, and whenever it does: nothing waits for ever, what remains is right, and destroy leaves nothing.
 *  Method: a disk holds what is under way in each phase while each thing is removed; gone.test.ts has a diagonal, here is the rest. */
import { limit, test } from '../fixtures/index.js';
import { fillCell, isQuick } from './gone.js';
import { phases } from './gone-phases.js';
import { things } from './gone-things.js';

for (const [row, phase] of phases.entries()) {
  for (const [column, thing] of things.entries()) {
    if (isQuick(row, column)) continue;
    test(`${phase.name}: ${thing.what}`, { timeout: limit(90_000), meta: { spec: ['SNP-05', 'FLT-10', 'COW-06'] } }, async ({ lab, faults, skip }) => {
      skip(!await fillCell(lab, phase, thing, faults), `this module sends nothing that could be held: ${phase.name}`);
    });
  }
}
