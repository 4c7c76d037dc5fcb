/** Whatever a caller gives, it gets a defined answer, and nothing breaks.
 *  Method: many threads, one of them without rights, make calls with right and wrong fields on the same devices and snapshots;
 *  each errno, each byte of a reply and the memory around it is looked at, and after each round a whole backup must be right. */
import { expect, fuzzLab, limit, readCorpus, replay, test } from '../fixtures/index.js';
import { expectRight, fuzzSeed, spec, verdictOf } from './fuzz.js';

const CALLS = 4000;
const SEEDS = 2;
/** Calls that race need not break at the first try. */
const TIMES = 8;

test('calls that once broke something break nothing', { timeout: limit(300_000), meta: { spec } }, async ({ lab, faults }) => {
  const l = await lab(fuzzLab);
  const corpus = await readCorpus();
  expect(corpus.length).toBeGreaterThan(0);
  for (const script of corpus) {
    const report = await replay(l, script, TIMES);
    expectRight(report);
    faults.record({ kind: 'call', operation: 'corpus', point: script.name, hit: script.about, verdict: verdictOf(report) });
  }
});

for (let run = 1; run <= SEEDS; run++) {
  test(`${CALLS} calls by chance get defined answers, run ${run}`, { timeout: limit(300_000), meta: { spec } }, async ({ lab, random, faults }) => {
    const seed = random.below(2 ** 31);
    const report = await fuzzSeed(await lab(fuzzLab), seed, CALLS);
    faults.record({ kind: 'call', operation: 'calls by chance', point: `run ${run}`, hit: `seed ${seed}`, verdict: verdictOf(report) });
  });
}
