/** As allocations.test.ts, with each allocation of the calls that have many. */
import { isSlow, limit, test } from '../fixtures/index.js';
import { failEach, params, steps } from './allocations.js';

for (const step of steps.filter(({ stride }) => stride !== undefined)) {
  const meta = { spec: step.spec };
  test(`${step.operation} with each of its allocations failing leaves nothing half made`, { timeout: limit(600_000), meta }, async ({ lab, faults }) => {
    const l = await lab(step.loads ? { loadModule: false } : { params });
    for (const point of await failEach(step, l, { first: 1, stride: isSlow() ? 3 : 1 })) faults.record(point);
  });
}
