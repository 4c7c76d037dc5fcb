/** As life.test.ts, with each allocation of the steps that have many. */
import { isSlow, limit, test } from '../fixtures/index.js';
import { failEach, params, steps } from './life.js';

for (const step of steps.filter(({ stride }) => stride !== undefined && stride > 1)) {
  const name = `${step.operation} with ${step.storage} as storage, and each allocation failing once`;
  test(name, { timeout: limit(600_000), meta: { spec: step.spec } }, async ({ lab, faults }) => {
    for (const point of await failEach(step, await lab({ params }), { first: 1, stride: isSlow() ? 3 : 1 })) faults.record(point);
  });
}
