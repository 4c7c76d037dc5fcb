/** Each request of the module's, and of a file system on its behalf, fails once in each way: COW-06 holds each time.
 *  Method: the programmable disk fails the 1st, 2nd, 3rd ... of them, until a round meets no fault. */
import { limit, test } from '../fixtures/index.js';
import { failEach, operations } from './io.js';

for (const op of operations) {
  test(`${op.name}: each request fails in turn`, { timeout: limit(600_000), meta: { spec: op.spec } }, async ({ lab, faults, skip }) => {
    await failEach(op, lab, faults);
    skip(faults.points.length === 0, `this module sends no such request: ${op.name}`);
  });
}
