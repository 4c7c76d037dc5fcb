/** The power goes once in each state, at a request that chance picks: see power.ts. */
import { limit, test } from '../fixtures/index.js';
import { fileSystems } from './crash.js';
import { cutPlaces, cutPower } from './power.js';

for (const place of cutPlaces) {
  test(`the power goes in ${place.state.what}: what was promised is there, the snapshot is not`, {
    timeout: limit(120_000), meta: { spec: ['COW-09', 'SNP-06'] },
  }, async ({ lab, settings, random, faults, onTestFinished }) => {
    const nth = place.first + random.below(place.last - place.first + 1);
    await cutPower({ lab, settings, random, faults, onTestFinished }, random.pick(fileSystems), place, nth);
  });
}
