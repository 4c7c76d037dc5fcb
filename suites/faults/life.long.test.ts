/** As life.test.ts, with each allocation of the steps that have many. */
import { isSlow, limit, test } from '../fixtures/index.js';
import { failEach, params, steps } from './life.js';

for (const step of steps.filter(({ stride }) => stride !== undefined && stride > 1)) {
  const name = `${step.operation} with ${step.storage} as storage, and each allocation failing once`;
  test(name, { timeout: limit(600_000), meta: { spec: step.spec } }, async ({ lab, faults, skip }) => {
    const points = await failEach(step, await lab({ params }), { first: 1, stride: isSlow() ? 3 : 1 });
    skip(points.length === 0, 'nothing is allocated here');
    for (const point of points) faults.record(point);
  });
}
