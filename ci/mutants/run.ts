/** Tries mutants one after the other, then the tests that killed them on the original, and reports. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleWorkshop, temporaryFolder, type KernelLine } from '../../vm/index.js';
import { prepareGuests } from '../build/prepare.js';
import { exitCodes } from '../cli/exit-codes.js';
import { learnReach, type CanSee } from '../reach/learn.js';
import { exitCodeOf, finish } from '../report/finish.js';
import { repeatRun, wordsOf } from '../report/repeat.js';
import { createResultsDir, replaceFile } from '../report/results.js';
import { ReportStore } from '../report/store.js';
import { closingLine } from '../report/summary.js';
import { duration } from '../report/text.js';
import type { Progress } from '../session/progress.js';
import type { Session } from '../session/session.js';
import type { Original } from './build.js';
import type { Mutant } from './load.js';
import type { MutantsOptions } from './options.js';
import { applyToCase, mutantCase, mutantCaseId, mutantsCount, mutantsJson, mutantsTable, type MutantResult } from './results.js';
import { runSome, type TestsOn } from './run-mutant.js';
import { equivalentResult } from './systematic/argued.js';
import { systematicMutants } from './systematic/series.js';
import { resultOf, tryMutant, type Trial, type TrialTests } from './trial.js';

const controlLimitMs = 60 * 60_000;
const learningLimitMs = 3 * 60 * 60_000;

export interface MutantsRun {
  readonly root: string;
  readonly options: MutantsOptions;
  readonly line: KernelLine;
  readonly moduleDir: string;
  readonly session: Session;
  readonly progress: Progress;
  readonly chosen: readonly Mutant[];
  readonly tests: TrialTests;
}

export async function runMutants(run: MutantsRun): Promise<number> {
  const { root, options, line, session, progress, chosen } = run;
  const whole = wholeOf(options);
  const resultsDir = createResultsDir(root, new Date());
  const store = new ReportStore(resultsDir, { line: line.name, flavour: options.flavour, seed: String(options.seed) });
  store.add(...chosen.map((mutant) => mutantCase(mutant, options, [mutant.name, ...tryWords(options)])));
  session.onInterrupt = () => store.seal();
  progress.say(`kernel ${line.name}, flavour ${options.flavour}, seed ${options.seed}, ${chosen.length} mutants`);
  const repeat = repeatRun(['mutants', ...whole], options);
  const ready = await prepareGuests({ root, line, cli: options, store, progress, repeat });
  if (ready === undefined) return finish(store, options.json, progress);
  const shopDir = temporaryFolder('workshop-');
  const workshop = await ModuleWorkshop.open(ready.kernel, run.moduleDir, shopDir);
  const original: Original = { ...ready, line, flavour: options.flavour, moduleDir: run.moduleDir, workshop };
  const on = (title: string): TestsOn => (
    { root, options, runDir: session.runDir, progress, title, resultsDir: join(resultsDir, 'mutants', title.replaceAll('/', '-')) });

  const canSee = options.all || systematicCount(run) > 0 ? await learnSight(run, original, on('reach')) : undefined;
  const trials: Trial[] = [];
  const argued: MutantResult[] = [];
  let failAnyway: ReadonlySet<string> = new Set();
  const results = () => [...trials.map((trial) => resultOf(trial, failAnyway, options.all)), ...argued];
  const write = () => record(results(), store, join(resultsDir, 'mutants.json'));
  for (const mutant of chosen) {
    trials.push(await tryMutant(mutant, original, on(mutant.name), { ...run.tests, canSee }));
    progress.say(oneLine(results()[trials.length - 1]));
    write();
  }
  for await (const next of systematicMutants(root, run.moduleDir, options.seed)) {
    if (trials.length - chosen.length >= systematicCount(run)) break;
    if ('why' in next) {
      argued.push(equivalentResult(next.mutant, next.why));
      continue;
    }
    const trial = await tryMutant(next.mutant, original, on(`systematic-${trials.length}`), { ...run.tests, canSee });
    // What does not compile is nobody's bug.
    if (trial.run === undefined && trial.isUncompiled) continue;
    trials.push(trial);
    store.add(mutantCase(next.mutant, options, whole));
    progress.say(oneLine(results()[trials.length - 1]));
    write();
  }
  store.add(...argued.map(({ mutant }) => mutantCase(mutant, options, whole)));
  failAnyway = await failingOnOriginal(trials, original, on('original'), run.tests.all);
  write();
  rmSync(shopDir, { recursive: true, force: true });
  return tell(results(), store, options.json, progress);
}

/** The words that choose all of this run again. */
function wholeOf(options: MutantsOptions): string[] {
  const { systematic, sample } = options;
  return [
    ...wordsOf(options), '--systematic', String(systematic), ...(sample === undefined ? [] : ['--sample', String(sample)]), ...tryWords(options)];
}

/** The words that choose how each is tried. */
function tryWords({ times, withinMs, all, also }: MutantsOptions): string[] {
  return ['--times', String(times), '--within', String(withinMs / 1000), ...(all ? ['--all'] : []), ...also.flatMap((word) => ['--also', word])];
}

/** How many systematic ones there are to be: in a sample, what the written ones have left. */
function systematicCount({ options, chosen }: MutantsRun): number {
  return Math.max(0, Math.min(options.systematic, (options.sample ?? Infinity) - chosen.length));
}

function learnSight({ options, tests }: MutantsRun, original: Original, on: TestsOn): Promise<CanSee> {
  const toldDir = join(on.runDir, 'told');
  return learnReach({
    root: on.root, seed: options.seed, tests: tests.all, progress: on.progress, toldDir, ...original, original,
    run: (ready, unknown) => runSome({ ...on, settings: { toldDir } }, ready, [unknown], Date.now() + learningLimitMs, () => false),
  });
}

/** Of the tests that failed on a mutant, those that do not pass on the original. */
async function failingOnOriginal(
  trials: readonly Trial[], original: Original, on: TestsOn, tests: TrialTests['all'],
): Promise<ReadonlySet<string>> {
  const failed = new Set(trials.flatMap(({ run }) => run?.cases ?? []).filter(({ state }) => state === 'failed').map(({ id }) => id));
  const suspects = tests.filter(({ id }) => failed.has(id));
  if (suspects.length === 0) return new Set();
  const cases = await runSome(on, original, [suspects], Date.now() + controlLimitMs, () => false);
  return new Set(cases.filter(({ state }) => state !== 'passed').map(({ id }) => id));
}

function record(results: readonly MutantResult[], store: ReportStore, path: string): void {
  for (const result of results) {
    const one = store.find(mutantCaseId(result.mutant.name));
    if (one !== undefined) applyToCase(one, result);
  }
  store.changed();
  replaceFile(path, `${JSON.stringify(mutantsJson(results), null, 2)}\n`);
}

function tell(results: readonly MutantResult[], store: ReportStore, isJson: boolean, progress: Progress): number {
  const error = store.flush();
  const exitCode = error === undefined ? exitCodeOf(store.report) : exitCodes.rigFailed;
  if (isJson) process.stdout.write(`${JSON.stringify({ ...mutantsJson(results), exitCode, junit: store.junitPath })}\n`);
  const problems = results.filter(({ verdict, note }) => verdict !== 'killed' && note !== undefined)
    .map(({ mutant, verdict, note }) => `${mutant.name} ${verdict}: ${note}`);
  const lines = ['', ...mutantsTable(results), '', ...problems, mutantsCount(results), `wall time ${duration(store.report.wallMs)}`,
    error === undefined ? `results: ${store.junitPath}` : `the report cannot be written: ${error.message}`, closingLine(store.report.cases)];
  for (const line of lines) progress.say(line);
  return exitCode;
}

function oneLine(result: MutantResult | undefined): string {
  if (result === undefined) return '';
  const after = result.killedAfterMs === undefined ? '' : ` after ${duration(result.killedAfterMs)}`;
  return `${result.mutant.name}: ${result.verdict}${after}  ${result.killedBy[0] ?? result.note ?? ''}  ${duration(result.wallMs)}`;
}
