/** A snapshot in whose life memory is short for a moment is as right as any other, whichever task it is that gets none.
 *  Method: a guest module fails the first, the second, the third ... allocation that has blksnap among its callers, in one step
 *  of a life after the other; the original, the image, the events and the storage's space are looked at each time. Of steps that
 *  have many, each so-manieth here, beginning up to the seed; all of them in life.long.test.ts. */
import { isSlow, limit, test } from '../fixtures/index.js';
import { failEach, params, steps } from './life.js';

/** Where all is slower, fewer places are tried. */
const FEWER_WHERE_SLOW = 4;

for (const step of steps) {
  const name = `${step.operation} with ${step.storage} as storage, and no memory for a moment`;
  test(name, { timeout: limit(300_000), meta: { spec: step.spec } }, async ({ lab, faults, random, skip }) => {
    const stride = (step.stride ?? 1) * (isSlow() && step.stride ? FEWER_WHERE_SLOW : 1);
    const points = await failEach(step, await lab({ params }), { first: 1 + random.below(stride), stride });
    skip(points.length === 0, 'nothing is allocated here');
    for (const point of points) faults.record(point);
  });
}
