/** Random sequences of all that can be done to devices, snapshots and images, next to a model that says after each step
 *  what must be true (CBT-11 among it). A few short ones here; `npm start -- explore` goes on for as long as it is told. */
import { seedFor } from '../oracle/rng.js';
import { expect, test } from '../fixtures/index.js';
import { generate } from './generate.js';
import { clearStage, explorerLab, setStage } from './machine.js';
import { Coverage } from './coverage.js';
import { play } from './play.js';

const STEPS = 40;

test('three random sequences go as the model says', { meta: { spec: ['CBT-11', 'CBT-02', 'COW-01', 'SNP-04', 'IMG-03'] } }, async ({ lab, settings }) => {
  const l = await lab(explorerLab);
  const stage = await setStage(l);
  const coverage = new Coverage();
  for (const number of [1, 2, 3]) await play(stage, generate(seedFor(settings.seed, `sequence ${number}`), STEPS), coverage);
  await clearStage(stage);
  expect(coverage.count).toBe(3 * STEPS);
});
