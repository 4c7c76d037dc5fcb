/** Runs selected tests with vitest into a ReportStore, with a line per test and a live line of how far it is. */
import type { Reporter, TestSpecification, Vitest } from 'vitest/node';
import { CaseReporter } from '../report/reporter.js';
import { pendingCase, type CaseReport } from '../report/model.js';
import type { ReportStore } from '../report/store.js';
import { caseLine } from '../report/summary.js';
import type { Repeat } from '../report/repeat.js';
import { loadingCase } from '../report/vitest-cases.js';
import { caseId, type Variant } from '../report/variant.js';
import type { Selection } from '../select/select.js';
import type { SuiteSettings } from '../../suites/fixtures/settings.js';
import type { Progress } from './progress.js';
import { openVitest } from './vitest.js';

export interface TestRun {
  readonly root: string;
  readonly project: 'meta' | 'suites';
  readonly jobs: number;
  readonly selection: Selection;
  readonly store: ReportStore;
  readonly repeat: Repeat;
  readonly progress: Progress;
  /** See VitestOptions. */
  readonly settings?: Partial<SuiteSettings>;
  /** As which of several the tests run; undefined when they run once. */
  readonly variant?: Variant | undefined;
  /** Is told of each test as it ends, instead of lines being shown; only the live line shows the title. */
  readonly observer?: { readonly title: string; onCaseEnd(ended: CaseReport): void };
  /** Ends the run early: tests that are under way are cut off, others do not begin; both stay pending. */
  readonly stop?: AbortSignal;
}

/** Puts every selected test into the report before anything runs, so that a dead host leaves no gap. */
export function announce({ tests, broken }: Selection, store: ReportStore, repeat: Repeat, variant?: Variant): void {
  store.add(...tests.map((test) =>
    pendingCase({ ...test, id: caseId(test.id, variant), variant, repeat: repeat(test.file, test.name) })));
  store.add(...broken.map(({ file }) => loadingCase(file, repeat, variant)));
}

/** Of announced tests those that are not to run; `excluded` has the word for each by its id. */
export function skipExcluded({ tests }: Selection, excluded: ReadonlyMap<string, string>, store: ReportStore, variant?: Variant): void {
  for (const { id } of tests) {
    const word = excluded.get(id);
    const one = word === undefined ? undefined : store.find(caseId(id, variant));
    if (one !== undefined) Object.assign(one, { state: 'skipped', skipReason: `--exclude ${word}` } satisfies Partial<CaseReport>);
  }
}

export async function runTests(run: TestRun): Promise<void> {
  const { selection, store, progress, variant } = run;
  announce(selection, store, run.repeat, variant);
  const total = selection.tests.length;
  const ended = new Set<string>();
  const title = variant === undefined ? run.project : `${run.project} (${variant.label})`;
  const step = progress.step(run.observer?.title ?? title);
  step.update(`0 of ${total} tests`);
  const reporter: Reporter = new CaseReporter({
    root: run.root,
    store,
    repeat: run.repeat,
    selectedIds: new Set(selection.tests.map(({ id }) => id)),
    variant,
    stop: run.stop,
    onCaseEnd: (one) => {
      ended.add(one.id);
      if (run.observer === undefined) progress.say(caseLine(one, progress));
      else run.observer.onCaseEnd(one);
      step.update(`${ended.size} of ${total} tests`, ended.size / Math.max(total, ended.size));
    },
  });
  reporter.onUserConsoleLog = (log) => progress.say(log.content.trimEnd());
  const vitest = await openVitest(run.root, { project: run.project, jobs: run.jobs, reporter, settings: run.settings });
  run.stop?.addEventListener('abort', () => void vitest.cancelCurrentRun('test-failure'), { once: true });
  try {
    if (run.stop?.aborted !== true) await vitest.runTestSpecifications(specificationsOf(vitest, selection), false);
  } finally {
    await vitest.close();
  }
  if (run.observer !== undefined) return step.drop();
  const isGood = [...ended].every((id) => ['passed', 'skipped'].includes(store.find(id)?.state ?? 'pending'));
  step[isGood ? 'done' : 'fail'](`${ended.size} of ${total} tests`);
}

/** The selected tests, as vitest wants to be told them: per file, and whole files that do not load. */
export function specificationsOf(vitest: Vitest, selection: Selection): TestSpecification[] {
  const [project] = vitest.projects;
  if (project === undefined) throw new Error('vitest has no project');
  return [...byModule(selection)].map(([moduleId, testIds]) =>
    project.createSpecification(moduleId, testIds.length > 0 ? { testIds } : undefined));
}

function byModule({ tests, broken }: Selection): Map<string, string[]> {
  const modules = new Map<string, string[]>(broken.map(({ moduleId }) => [moduleId, []]));
  for (const { moduleId, id } of tests) {
    modules.set(moduleId, [...(modules.get(moduleId) ?? []), id]);
  }
  return modules;
}
