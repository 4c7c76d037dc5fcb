/** Runs the fixture projects, or a shard of them, through the real vitest and our reporter; prints the cases as JSON.
 *  Arguments: results folder, which files, shard, "stop" to end the run at its first failure.
 *  For verdicts.test.ts and merge.test.ts. */
import { fileURLToPath } from 'node:url';
import { createVitest, type Reporter, type Vitest } from 'vitest/node';
import { parseCli } from '../../../../ci/cli/args.js';
import { pendingCase, type CaseReport } from '../../../../ci/report/model.js';
import { CaseReporter } from '../../../../ci/report/reporter.js';
import { repeatSuiteTest } from '../../../../ci/report/repeat.js';
import { ReportStore } from '../../../../ci/report/store.js';
import { collectTests } from '../../../../ci/select/collect.js';
import { makePlan } from '../../../../ci/select/plan.js';
import { announce, specificationsOf } from '../../../../ci/session/run-tests.js';

const [resultsDir = '', include = '', shard = '1/1', ending = ''] = process.argv.slice(2);
const root = fileURLToPath(new URL('.', import.meta.url));
const choices = parseCli(['--seed', '42', '--shard', shard]);
const repeat = (file: string, name?: string) => repeatSuiteTest(file, name, choices);
function open(reporter: Reporter): Promise<Vitest> {
  return createVitest('test', {
    root, config: false, include: [include], pool: 'forks', maxWorkers: 2, watch: false, reporters: [reporter],
  });
}

async function main(): Promise<void> {
  const plan = makePlan([{ selection: await collectTests(await open({}), root) }], choices.shard);
  const origin = { commit: 'c0ffee', selection: 'all', shard, tests: String(plan.total), list: plan.digest };
  const store = new ReportStore(resultsDir, { line: '6.12', flavour: 'fast', seed: '42' }, origin);
  for (const { selection } of plan.parts) {
    announce(selection, store, repeat);
    const selectedIds = new Set(selection.tests.map(({ id }) => id));
    // Of another run that shares the report: not this run's to judge.
    store.add(pendingCase({ id: 'other', suite: 'other', file: '', name: 'of another run', specIds: [], repeat: 'again' }));
    const stop = new AbortController();
    const onCaseEnd = ({ state }: CaseReport) => {
      if (ending === 'stop' && state === 'failed') stop.abort();
    };
    const vitest = await open(new CaseReporter({ root, store, repeat, onCaseEnd, selectedIds, stop: stop.signal }));
    stop.signal.addEventListener('abort', () => void vitest.cancelCurrentRun('test-failure'));
    await vitest.runTestSpecifications(specificationsOf(vitest, selection));
    await vitest.close();
  }
  store.flush();
  process.stdout.write(JSON.stringify(store.report.cases));
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error);
  process.exit(1);
});
