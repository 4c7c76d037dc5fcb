/** A diagonal of the grid of stalled.long.test.ts: each phase and each thing that is done meanwhile, once. */
import { limit, test } from '../fixtures/index.js';
import { meanwhiles } from './stalled-meanwhiles.js';
import { phases } from './stalled-phases.js';
import { fillCell, isQuick } from './stalled.js';

for (const [row, phase] of phases.entries()) {
  for (const [column, meanwhile] of meanwhiles.entries()) {
    if (!isQuick(row, column)) continue;
    test(`${phase.name} is stuck: ${meanwhile.what}`, { timeout: limit(90_000), meta: { spec: ['FLT-09', 'COW-03', 'COW-07'] } }, async ({ lab, faults, skip }) => {
      skip(!await fillCell(lab, phase, meanwhile, faults), `this module sends nothing that could be stuck: ${phase.name}`);
    });
  }
}
