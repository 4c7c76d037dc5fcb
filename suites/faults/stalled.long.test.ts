/** A device that does not answer: who needs it waits, who does not goes on, and when it answers all ends, whatever was done meanwhile.
 *  Method: a disk holds what is under way in each phase; stalled.test.ts has a diagonal of the grid, here is the rest. */
import { limit, test } from '../fixtures/index.js';
import { meanwhiles } from './stalled-meanwhiles.js';
import { phases } from './stalled-phases.js';
import { fillCell, isQuick } from './stalled.js';

for (const [row, phase] of phases.entries()) {
  for (const [column, meanwhile] of meanwhiles.entries()) {
    if (isQuick(row, column)) continue;
    test(`${phase.name} is stuck: ${meanwhile.what}`, { timeout: limit(90_000), meta: { spec: ['FLT-09', 'COW-03', 'COW-07'] } }, async ({ lab, faults, skip }) => {
      skip(!await fillCell(lab, phase, meanwhile, faults), `this module sends nothing that could be stuck: ${phase.name}`);
    });
  }
}
