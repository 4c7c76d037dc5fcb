/** Runs tests on one mutant: first those that name one of its ids, until one fails; then others, if they were asked
 *  for. It has a report of its own, since its failures are none of the run's. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SuiteSettings } from '../../suites/fixtures/settings.js';
import type { Ready } from '../build/prepare.js';
import type { CliOptions } from '../cli/args.js';
import type { CaseReport } from '../report/model.js';
import { repeatSuiteTest } from '../report/repeat.js';
import { ReportStore } from '../report/store.js';
import type { Selection } from '../select/select.js';
import type { Progress } from '../session/progress.js';
import { runTests } from '../session/run-tests.js';
import { passSettings } from '../session/settings.js';
import { namesOneOf } from './verdict.js';

/** When a mutant's tests take longer, no further test begins. Tests have limits of their own. */
const firstLimitMs = 20 * 60_000;
const wholeLimitMs = 90 * 60_000;

export interface TestsOn {
  readonly root: string;
  readonly options: CliOptions;
  /** Where the report of this mutant goes. */
  readonly resultsDir: string;
  readonly runDir: string;
  readonly progress: Progress;
  /** Shown while its tests run. */
  readonly title: string;
  /** What else the tests are to be told. */
  readonly settings?: Pick<Partial<SuiteSettings>, 'moduleDir' | 'toldDir'>;
}

export interface MutantRun {
  readonly cases: readonly CaseReport[];
  /** From the start of the tests to the first failure of one that names an id; undefined when there is none. */
  readonly killedAfterMs: number | undefined;
}

/** With `others` every test of the ids runs, and then these; without, the first failure is enough. */
export async function runOnMutant(
  on: TestsOn, ready: Ready, specIds: readonly string[], tests: Selection['tests'], others: Selection['tests'] | undefined,
): Promise<MutantRun> {
  const own = tests.filter((test) => namesOneOf(test, specIds));
  const rest = (others ?? []).filter((test) => !own.includes(test));
  const isWhole = others !== undefined;
  const startedMs = Date.now();
  let killedAfterMs: number | undefined;
  const noteKill = (ended: CaseReport): boolean => {
    if (ended.state !== 'failed' || !namesOneOf(ended, specIds)) return false;
    killedAfterMs ??= Date.now() - startedMs;
    return !isWhole;
  };
  const deadlineMs = startedMs + (isWhole ? wholeLimitMs : firstLimitMs);
  const cases = await runSome(on, ready, [own, rest], deadlineMs, noteKill);
  return { cases, killedAfterMs };
}

/** Runs parts one after the other, each until `isEnough` says so, all of them until the deadline. */
export async function runSome(
  on: TestsOn, ready: Ready, parts: readonly Selection['tests'][], deadlineMs: number, isEnough: (ended: CaseReport) => boolean,
): Promise<readonly CaseReport[]> {
  const { root, options, resultsDir, runDir, progress, title } = on;
  mkdirSync(join(resultsDir, 'remains'), { recursive: true });
  const store = new ReportStore(resultsDir, { kernel: ready.kernel.release, flavour: options.flavour, seed: String(options.seed) });
  passSettings({ ...options, ...ready, resultsDir, runDir, ...on.settings });
  const ended = new Set<string>();
  for (const tests of parts.filter(({ length }) => length > 0)) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), Math.max(0, deadlineMs - Date.now()));
    const onCaseEnd = (one: CaseReport) => {
      // What vitest says of tests that did not begin is not theirs.
      if (stop.signal.aborted && one.state === 'skipped') return;
      ended.add(one.id);
      if (isEnough(one)) stop.abort();
    };
    const repeat = (file: string, name: string) => repeatSuiteTest(file, name, options);
    await runTests({
      root, project: 'suites', jobs: options.jobs, selection: { tests, broken: [] }, store, repeat, progress,
      observer: { title, onCaseEnd }, stop: stop.signal,
    });
    clearTimeout(timer);
  }
  for (const one of store.report.cases) if (!ended.has(one.id)) one.state = 'pending';
  store.flush();
  return store.report.cases;
}
