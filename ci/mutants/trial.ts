/** One mutant from its patch to what its tests say. Whatever keeps it from being tried is part of the outcome. */
import { rmSync } from 'node:fs';
import { bootGuest, BuildError, errorText, forgetCheckpoints, temporaryFolder } from '../../vm/index.js';
import type { CanSee } from '../reach/learn.js';
import type { Selection } from '../select/select.js';
import { buildMutant, type MutantBuild, type Original } from './build.js';
import type { Mutant } from './load.js';
import { asItApplies } from './refresh.js';
import type { MutantResult } from './results.js';
import { runUntilKilled, runWhole, type MutantRun, type TestsOn } from './run-mutant.js';
import { judge, namesOneOf } from './verdict.js';

export interface Trial {
  readonly mutant: Mutant;
  /** Undefined when nothing could be run. */
  readonly run: MutantRun | undefined;
  /** Why nothing could be run. */
  readonly broken: string | undefined;
  /** It is no C. */
  readonly isUncompiled: boolean;
  /** Of all tests, those that were not left out since they do not reach its place; undefined unless all were wanted. */
  readonly sight: Sight | undefined;
  /** Building and testing. */
  readonly wallMs: number;
}

/** Numbers of tests: all that there are, and those that name an id of the mutant. */
export interface Sight {
  readonly total: number;
  readonly seeing: number;
  readonly own: number;
  readonly ownSeeing: number;
}

export interface TrialTests {
  readonly all: Selection['tests'];
  /** To be run besides those of the mutant's ids; undefined when one failure of these is enough. */
  readonly others: Selection['tests'] | undefined;
  /** Leaves out tests that cannot see the mutant. */
  readonly canSee?: CanSee | undefined;
  /** How often a test must fail to kill, and when the hunt for one ends. */
  readonly times: number;
  readonly withinMs: number;
}

export async function tryMutant(mutant: Mutant, original: Original, on: TestsOn, tests: TrialTests): Promise<Trial> {
  const startedMs = Date.now();
  const folder = temporaryFolder('mutant-');
  const sees = tests.canSee?.(await asItApplies(mutant, original)) ?? (() => true);
  const seeing = tests.all.filter(sees);
  const sight = tests.canSee && sightOf(mutant, tests.all, seeing);
  let ready: MutantBuild | undefined;
  try {
    ready = await makeReady(mutant, original, folder, on);
    const { kernel, module, moduleDir } = ready;
    const [here, built] = [{ ...on, settings: { moduleDir } }, { kernel, module }];
    const own = seeing.filter((test) => namesOneOf(test, mutant.specIds));
    const run = tests.others === undefined
      ? await runUntilKilled(here, built, { parts: bySight(own, tests.canSee), times: tests.times, withinMs: tests.withinMs })
      : await runWhole(here, built, mutant.specIds, seeing, tests.others.filter(sees));
    return { mutant, run, broken: undefined, isUncompiled: false, sight, wallMs: Date.now() - startedMs };
  } catch (error) {
    const isUncompiled = error instanceof BuildError && error.blame === 'product';
    return { mutant, run: undefined, broken: errorText(error), isUncompiled, sight, wallMs: Date.now() - startedMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    // Dozens of megabytes each, made in a moment: not worth their place in the cache.
    if (ready !== undefined) await forgetCheckpoints(mutant.kind === 'kernel' ? ready.kernel.key : ready.module.key);
  }
}

/** Tests that reach little come first: they are about the place, and quick. */
const firstPart = 12;

function bySight(tests: Selection['tests'], canSee: CanSee | undefined): Selection['tests'][] {
  if (canSee === undefined) return [tests];
  const sorted = [...tests].sort((a, b) => canSee.reach(a) - canSee.reach(b));
  return [sorted.slice(0, firstPart), sorted.slice(firstPart)];
}

function sightOf({ specIds }: Mutant, all: Selection['tests'], seeing: Selection['tests']): Sight {
  const own = (tests: Selection['tests']) => tests.filter((test) => namesOneOf(test, specIds)).length;
  return { total: all.length, seeing: seeing.length, own: own(all), ownSeeing: own(seeing) };
}

/** A kernel that does not even boot would fail every test, and be caught by none. */
async function makeReady(mutant: Mutant, original: Original, folder: string, { progress }: TestsOn): Promise<MutantBuild> {
  const step = progress.step(`building ${mutant.name}`);
  try {
    const tell = ({ what, done, total }: { what: string; done?: number; total?: number }) =>
      step.update(what, total ? (done ?? 0) / total : undefined);
    const ready = await buildMutant(mutant, original, folder, tell);
    if (mutant.kind === 'kernel') await (await bootGuest(ready.kernel, { disks: [] }, { progress: tell })).close();
    return ready;
  } finally {
    step.drop();
  }
}

/** Pure. `failAnyway` are the ids of tests that fail on the original too. */
export function resultOf({ mutant, run, broken, sight, wallMs }: Trial, failAnyway: ReadonlySet<string>, isWhole: boolean): MutantResult {
  if (run === undefined) {
    const nothing = { killedBy: [], alsoFailed: [], passed: [], unsure: [], isExact: undefined };
    return { mutant, verdict: 'broken', note: broken, killedAfterMs: undefined, sight, wallMs, ...nothing };
  }
  const judgement = judge({ specIds: mutant.specIds, cases: run.cases, failAnyway, isWhole });
  return { mutant, sight, wallMs, ...judgement, killedAfterMs: judgement.verdict === 'killed' ? run.killedAfterMs : undefined };
}
