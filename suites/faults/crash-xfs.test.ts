/** XFS keeps its promises through a power cut at a few of the moments, in every state of filter and snapshot: see crash.ts. */
import { limit, test } from '../fixtures/index.js';
import { crashEverywhere, states } from './crash.js';

for (const state of states) {
  test(`XFS, ${state.what}: what was promised is there after a crash at a few moments`, {
    timeout: limit(120_000), meta: { spec: ['COW-09', 'FLT-13'] },
  }, async ({ lab, random, faults }) => {
    await crashEverywhere({ lab, random, faults }, 'XFS', state, { steps: 8, most: 6 });
  });
}
