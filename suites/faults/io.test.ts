/** A sample of io.long.test.ts: of each operation one request fails; which, and in which way, is up to the seed. */
import { limit, test } from '../fixtures/index.js';
import { failSome, operations } from './io.js';

for (const op of operations) {
  test(`${op.name}: a request fails`, { timeout: limit(120_000), meta: { spec: op.spec } }, async ({ lab, faults, random, skip }) => {
    await failSome(op, lab, faults, random);
    skip(faults.points.length === 0, `this module sends no such request: ${op.name}`);
  });
}
