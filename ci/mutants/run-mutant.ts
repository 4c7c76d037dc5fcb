/** Runs tests on one mutant: those that name one of its ids, until one fails, and fails again; or all of them and others, if they
 *  were asked for. It has a report of its own, since its failures are none of the run's. */
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
import { announce, runTests } from '../session/run-tests.js';
import { namesOneOf } from './verdict.js';

/** When a mutant's tests take longer, no further test begins. Tests have limits of their own. */
export const firstLimitMs = 20 * 60_000;
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
  /** Runs these tests on this mutant again; when left out, the tests are repeated by themselves. */
  readonly repeat?: string;
  /** What else the tests are to be told. */
  readonly settings?: Pick<Partial<SuiteSettings>, 'moduleDir' | 'toldDir'>;
}

export interface MutantRun {
  readonly cases: readonly CaseReport[];
  /** From the start of the tests to the first failure of one that names an id; undefined when there is none. */
  readonly killedAfterMs: number | undefined;
}

/** Every test of the ids runs, and then the others. */
export async function runWhole(
  on: TestsOn, ready: Ready, specIds: readonly string[], tests: Selection['tests'], others: Selection['tests'],
): Promise<MutantRun> {
  const own = tests.filter((test) => namesOneOf(test, specIds));
  const rest = others.filter((test) => !own.includes(test));
  const startedMs = Date.now();
  let killedAfterMs: number | undefined;
  const cases = await runSome(on, ready, [own, rest], startedMs + wholeLimitMs, (ended) => {
    if (ended.state === 'failed' && namesOneOf(ended, specIds)) killedAfterMs ??= Date.now() - startedMs;
    return false;
  });
  return { cases, killedAfterMs };
}

export interface Hunt {
  /** Tried before all others, which may then not be needed. */
  readonly first: Selection['tests'];
  /** The others, in this order; each part is begun when no test of the one before has killed. */
  readonly others: () => Promise<readonly Selection['tests'][]>;
  /** How often a test must fail, of as many tries, to have killed. */
  readonly times: number;
  /** No test begins later, but for what `others` takes. */
  readonly withinMs: number;
}

/** Looks for a test that fails each time. One that fails once and then passes says nothing of the mutant: the hunt goes on. */
export async function runUntilKilled(on: TestsOn, ready: Ready, { first, others, times, withinMs }: Hunt): Promise<MutantRun> {
  const known = new Map<string, CaseReport>();
  let rounds = 0;
  const hunt = async (parts: readonly Selection['tests'][], leftMs: number): Promise<MutantRun> => {
    const startedMs = Date.now();
    for (;;) {
      const here = ++rounds === 1 ? on : { ...on, resultsDir: join(on.resultsDir, `round-${rounds}`) };
      const left = parts.map((tests) => tests.filter(({ id }) => !known.has(id)));
      const cases = await runSome(here, ready, left, startedMs + leftMs, ({ state }) => state === 'failed');
      const killer = cases.find(({ state }) => state === 'failed');
      for (const one of cases) if (one.state !== 'pending') known.set(one.id, one);
      const pending = cases.filter(({ state }) => state === 'pending');
      if (killer === undefined) return { cases: [...known.values(), ...pending], killedAfterMs: undefined };
      const killedAfterMs = withinMs - leftMs + Date.now() - startedMs;
      const again = left.flat().filter(({ id }) => id === killer.id);
      const seen = await failures({ ...here, resultsDir: join(here.resultsDir, 'again') }, ready, again, times - 1);
      if (seen === times - 1) return { cases: [...known.values(), ...pending], killedAfterMs };
      known.set(killer.id, { ...killer, state: 'error', problems: [{ ...sometimes, message: `failed ${seen + 1} times of ${seen + 2}` }] });
    }
  };
  const startedMs = Date.now();
  const quick = first.length > 0 ? await hunt([first], withinMs) : undefined;
  if (quick?.killedAfterMs !== undefined) return quick;
  const leftMs = startedMs + withinMs - Date.now();
  return hunt(await others(), leftMs);
}

const sometimes = { blame: 'rig', isNamed: true, type: 'FailsSometimes', detail: '' } as const;

/** How often in a row the test fails, up to `times`. */
async function failures(on: TestsOn, ready: Ready, tests: Selection['tests'], times: number): Promise<number> {
  for (let done = 0; done < times; done++) {
    const cases = await runSome(on, ready, [tests], Date.now() + firstLimitMs, () => true);
    if (!cases.some(({ state }) => state === 'failed')) return done;
  }
  return times;
}

/** Runs parts one after the other, until `isEnough` says so or the deadline is over. */
export async function runSome(
  on: TestsOn, ready: Ready, parts: readonly Selection['tests'][], deadlineMs: number, isEnough: (ended: CaseReport) => boolean,
): Promise<readonly CaseReport[]> {
  const { root, options, resultsDir, runDir, progress, title } = on;
  const repeat = (file: string, name?: string) => on.repeat ?? repeatSuiteTest(file, name, options);
  mkdirSync(join(resultsDir, 'remains'), { recursive: true });
  const store = new ReportStore(resultsDir, { kernel: ready.kernel.release, flavour: options.flavour, seed: String(options.seed) });
  const settings = { ...options, ...ready, resultsDir, runDir, ...on.settings };
  let isOver = false;
  for (const tests of parts.filter(({ length }) => length > 0)) {
    if (isOver) {
      announce({ tests, broken: [] }, store, repeat);
      continue;
    }
    const stop = new AbortController();
    const end = () => {
      isOver = true;
      stop.abort();
    };
    const timer = setTimeout(end, Math.max(0, deadlineMs - Date.now()));
    const onCaseEnd = (one: CaseReport) => {
      if (isEnough(one)) end();
    };
    await runTests({
      root, project: 'suites', jobs: options.jobs, settings, selection: { tests, broken: [] }, store, repeat, progress,
      observer: { title, onCaseEnd }, stop: stop.signal,
    });
    clearTimeout(timer);
  }
  store.flush();
  return store.report.cases;
}
