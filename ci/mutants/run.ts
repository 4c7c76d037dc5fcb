/** Tries mutants, a few at a time, then the tests that killed them on the original, and reports. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleWorkshop, temporaryFolder, type KernelLine } from '../../vm/index.js';
import { prepareGuests, type Ready } from '../build/prepare.js';
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
import { withResults, writeKillers } from './killers.js';
import { onLanes, turnsOf } from './lanes.js';
import type { Mutant } from './load.js';
import type { Places } from './near.js';
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
  /** Names of the systematic ones that are called for; empty: as many as the options say. */
  readonly systematic: readonly string[];
  readonly places: Places;
  readonly tests: Omit<TrialTests, 'learn'>;
}

export async function runMutants(run: MutantsRun): Promise<number> {
  const { root, options, line, session, progress, chosen } = run;
  const whole = wholeOf(options);
  const resultsDir = createResultsDir(root, new Date());
  const store = new ReportStore(resultsDir, { line: line.name, flavour: options.flavour, seed: String(options.seed) });
  store.add(...chosen.map((mutant) => mutantCase(mutant, options, tryWords(options))));
  session.onInterrupt = () => store.seal();
  progress.say(`kernel ${line.name}, flavour ${options.flavour}, seed ${options.seed}, ${chosen.length} mutants`);
  const repeat = repeatRun(['mutants', ...whole], options);
  const ready = await prepareGuests({ root, line, cli: options, store, progress, repeat });
  if (ready === undefined) return finish(store, options.json, progress);
  const on = (title: string): TestsOn => (
    { root, options, runDir: session.runDir, progress, title, resultsDir: join(resultsDir, 'mutants', title.replaceAll('/', '-')) });
  const repeatOf = ({ name }: Mutant) => repeatRun(['mutants', name, ...tryWords(options)], options);

  const count = systematicCount(run);
  const shopsDir = temporaryFolder('workshops-');
  const lanes = await openLanes(run, ready, shopsDir, Math.min(options.jobs, chosen.length + count));
  const onLane = { ...options, jobs: Math.floor(options.jobs / lanes.length) };
  let learning: Promise<CanSee> | undefined;
  const learn = options.all || count > 0 ? () => learning ??= learnSight(run, ready, on('reach')) : undefined;
  const trials = new Map<number, Trial>();
  const argued: MutantResult[] = [];
  let failAnyway: ReadonlySet<string> = new Set();
  const resultAt = (trial: Trial) => resultOf(trial, failAnyway, options.all);
  const results = () => [...[...trials].sort(([a], [b]) => a - b).map(([, trial]) => resultAt(trial)), ...argued];
  const write = () => {
    record(results(), store, join(resultsDir, 'mutants.json'));
    // At once, so that what is stopped half way has not been for nothing.
    if (options.remember) writeKillers(root, withResults(run.tests.killers, results(), run.places));
  };
  const systematic = systematicMutants({ root, moduleDir: run.moduleDir, seed: options.seed, names: run.systematic });
  const turns = turnsOf({ written: chosen, systematic, count, onEquivalent: (mutant, why) => argued.push(equivalentResult(mutant, why)) });
  let begun = 0;
  await onLanes(lanes, turns, async (mutant, original) => {
    const at = begun++;
    const isWritten = chosen.includes(mutant);
    const here = on(isWritten ? mutant.name : `systematic-${at}`);
    const trial = await tryMutant(mutant, original, { ...here, options: onLane, repeat: repeatOf(mutant) }, { ...run.tests, learn });
    // What does not compile is nobody's bug.
    if (!isWritten && trial.run === undefined && trial.isUncompiled) return turns.giveBack();
    trials.set(at, trial);
    if (!isWritten) store.add(mutantCase(mutant, options, tryWords(options)));
    progress.say(oneLine(resultAt(trial)));
    write();
  }).finally(() => systematic.return(undefined));
  store.add(...argued.map(({ mutant }) => mutantCase(mutant, options, tryWords(options))));
  failAnyway = await failingOnOriginal([...trials.values()], ready, on('original'), run.tests.all);
  write();
  rmSync(shopsDir, { recursive: true, force: true });
  return tell(results(), store, options.json, progress);
}

/** Each lane tries one mutant at a time, has its part of the guests, and a place of its own to build in. */
function openLanes({ moduleDir, line, options: { flavour } }: MutantsRun, ready: Ready, dir: string, count: number): Promise<Original[]> {
  return Promise.all(Array.from({ length: count }, async (_, lane) => {
    const own = join(dir, String(lane));
    mkdirSync(own);
    return { ...ready, line, flavour, moduleDir, workshop: await ModuleWorkshop.open(ready.kernel, moduleDir, own) };
  }));
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
function systematicCount({ options, chosen, systematic }: MutantsRun): number {
  if (systematic.length > 0) return systematic.length;
  return Math.max(0, Math.min(options.systematic, (options.sample ?? Infinity) - chosen.length));
}

function learnSight({ options, tests, line, moduleDir }: MutantsRun, original: Ready, on: TestsOn): Promise<CanSee> {
  const toldDir = join(on.runDir, 'told');
  return learnReach({
    root: on.root, seed: options.seed, tests: tests.all, progress: on.progress, toldDir, line, flavour: options.flavour, moduleDir, original,
    run: (ready, unknown) => runSome({ ...on, settings: { toldDir } }, ready, [unknown], Date.now() + learningLimitMs, () => false),
  });
}

/** Of the tests that failed on a mutant, those that do not pass on the original. */
async function failingOnOriginal(
  trials: readonly Trial[], original: Ready, on: TestsOn, tests: TrialTests['all'],
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

function oneLine(result: MutantResult): string {
  const after = result.killedAfterMs === undefined ? '' : ` after ${duration(result.killedAfterMs)}`;
  return `${result.mutant.name}: ${result.verdict}${after}  ${result.killedBy[0] ?? result.note ?? ''}  ${duration(result.wallMs)}`;
}
