/** A diagonal of the grid of gone.long.test.ts: each phase and each thing that goes, at least once. */
import { limit, test } from '../fixtures/index.js';
import { fillCell, isQuick } from './gone.js';
import { phases } from './gone-phases.js';
import { things } from './gone-things.js';

for (const [row, phase] of phases.entries()) {
  for (const [column, thing] of things.entries()) {
    if (!isQuick(row, column)) continue;
    test(`${phase.name}: ${thing.what}`, { timeout: limit(90_000), meta: { spec: ['SNP-05', 'FLT-10', 'COW-06'] } }, async ({ lab, faults, skip }) => {
      skip(!await fillCell(lab, phase, thing, faults), `this module sends nothing that could be held: ${phase.name}`);
    });
  }
}
