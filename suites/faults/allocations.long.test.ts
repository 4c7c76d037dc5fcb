/** As allocations.test.ts, with each allocation of the calls that have many. */
import { isSlow, limit, test } from '../fixtures/index.js';
import { failEach, params, steps } from './allocations.js';

for (const step of steps.filter(({ stride }) => stride !== undefined)) {
  const meta = { spec: step.spec };
  test(`${step.operation} with each of its allocations failing leaves nothing half made`, { timeout: limit(600_000), meta }, async ({ lab, faults, skip }) => {
    const l = await lab(step.loads ? { loadModule: false } : { params });
    const points = await failEach(step, l, { first: 1, stride: isSlow() ? 3 : 1 });
    skip(points.length === 0, `nothing is allocated for ${step.operation}`);
    for (const point of points) faults.record(point);
  });
}
