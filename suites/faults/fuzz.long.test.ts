/** As fuzz.test.ts, with as many calls as show something: a million on a kernel that watches itself.
 *  Several guests share them, each with a seed of its own from the run's. BLKSNAP_SUITE_FUZZ_CALLS names another number. */
import { env } from 'node:process';
import { fuzzLab, isSlow, limit, test } from '../fixtures/index.js';
import { fuzzSeed, spec, verdictOf } from './fuzz.js';

const GUESTS = 10;
const CALLS = Number(env['BLKSNAP_SUITE_FUZZ_CALLS'] ?? (isSlow() ? 1_000_000 : 100_000)) / GUESTS;
/** On a machine that has much else to do. */
const TIMEOUT_MS = 900_000;

for (let guest = 1; guest <= GUESTS; guest++) {
  test(`${CALLS} calls by chance get defined answers, guest ${guest} of ${GUESTS}`, { timeout: limit(TIMEOUT_MS), meta: { spec } }, async ({ lab, random, faults }) => {
    const seed = random.below(2 ** 31);
    const report = await fuzzSeed(await lab(fuzzLab), seed, CALLS, TIMEOUT_MS - 60_000);
    faults.record({ kind: 'call', operation: 'calls by chance, many', point: `guest ${guest}`, hit: `seed ${seed}`, verdict: verdictOf(report) });
  });
}
