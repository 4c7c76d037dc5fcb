/** A call in which any allocation fails says so, leaves nothing half made, and can be made again.
 *  Method: let the first, the second, the third ... of its allocations fail, until the call meets none; look around after each,
 *  and make the same call without a fault. Of calls that have many, each so-manieth here, beginning up to the seed; all of them
 *  in allocations.long.test.ts. */
import { isSlow, limit, test } from '../fixtures/index.js';
import { failEach, frugalSteps, params, steps } from './allocations.js';

/** Where all is slower, fewer places are tried. */
const FEWER_WHERE_SLOW = 5;

for (const step of steps) {
  const meta = { spec: step.spec };
  test(`${step.operation} with an allocation failing leaves nothing half made`, { timeout: limit(300_000), meta }, async ({ lab, faults, random, skip }) => {
    const l = await lab(step.loads ? { loadModule: false } : { params });
    const stride = (step.stride ?? 1) * (isSlow() && step.stride ? FEWER_WHERE_SLOW : 1);
    const points = await failEach(step, l, { first: 1 + random.below(stride), stride });
    skip(points.length === 0, `nothing is allocated for ${step.operation}`);
    for (const point of points) faults.record(point);
  });
}

for (const step of frugalSteps) {
  test(`${step.operation} needs no memory, or leaves nothing half made when it gets none`, { meta: { spec: step.spec } }, async ({ lab }) => {
    await failEach(step, await lab({ params }), { first: 1, stride: 1 });
  });
}
