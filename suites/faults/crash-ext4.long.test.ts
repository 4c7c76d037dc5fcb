/** ext4 keeps its promises through a power cut at every moment, in every state of filter and snapshot: see crash.ts. */
import { limit, test } from '../fixtures/index.js';
import { crashEverywhere, states } from './crash.js';

for (const state of states) {
  test(`ext4, ${state.what}: what was promised is there after a crash at every moment`, {
    timeout: limit(600_000), meta: { spec: ['COW-09', 'FLT-13'] },
  }, async ({ lab, random, faults }) => {
    await crashEverywhere({ lab, random, faults }, 'ext4', state, { steps: 12 });
  });
}
