/** Runs the fixture projects through the real vitest and our reporter; prints the cases as JSON. For verdicts.test.ts. */
import { fileURLToPath } from 'node:url';
import { createVitest, type Reporter, type Vitest } from 'vitest/node';
import { pendingCase } from '../../../../ci/report/model.js';
import { CaseReporter } from '../../../../ci/report/reporter.js';
import { repeatSuiteTest } from '../../../../ci/report/repeat.js';
import { ReportStore } from '../../../../ci/report/store.js';
import { collectTests } from '../../../../ci/select/collect.js';

const [resultsDir = ''] = process.argv.slice(2);
const root = fileURLToPath(new URL('.', import.meta.url));
const choices = { seed: 42, line: '6.12', flavour: 'fast', moduleDir: undefined };
const store = new ReportStore(resultsDir, { kernel: '6.12', flavour: 'fast', seed: '42' });
const repeat = (file: string, name: string) => repeatSuiteTest(file, name, choices);
function open(reporter: Reporter): Promise<Vitest> {
  return createVitest('test', {
    root, config: false, include: ['*.fixture.ts'], pool: 'forks', maxWorkers: 2, watch: false, reporters: [reporter],
  });
}

async function main(): Promise<void> {
  const { tests } = await collectTests(await open({}), root);
  const selectedIds = new Set(tests.map(({ id }) => id));
  // Of another run that shares the report: not this run's to judge.
  store.add(pendingCase({ id: 'other', suite: 'other', file: '', name: 'of another run', specIds: [], repeat: '' }));
  const vitest = await open(new CaseReporter({ root, store, repeat, onCaseEnd: () => undefined, selectedIds }));
  await vitest.runTestSpecifications(await vitest.globTestSpecifications());
  await vitest.close();
  store.flush();
  process.stdout.write(JSON.stringify(store.report.cases));
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error);
  process.exit(1);
});
