/** The power goes in each state, at requests all over it: see power.ts. */
import { limit, test } from '../fixtures/index.js';
import { fileSystems } from './crash.js';
import { cutPlaces, cutPower } from './power.js';

const CUTS = 6;

for (const kind of fileSystems) {
  for (const place of cutPlaces) {
    for (let cut = 0; cut < CUTS; cut++) {
      const nth = place.first + Math.round(cut * (place.last - place.first) / (CUTS - 1));
      test(`the power goes at request ${nth} in ${place.state.what}, ${kind}: what was promised is there, the snapshot is not`, {
        timeout: limit(120_000), meta: { spec: ['COW-09', 'SNP-06'] },
      }, async ({ lab, settings, random, faults, onTestFinished }) => {
        await cutPower({ lab, settings, random, faults, onTestFinished }, kind, place, nth);
      });
    }
  }
}
