/** One mutant from its patch to what its tests say. Whatever keeps it from being tried is part of the outcome. */
import { rmSync } from 'node:fs';
import { bootGuest, BuildError, errorText, forgetCheckpoints, temporaryFolder } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { CanSee } from '../reach/learn.js';
import type { KnownTest } from '../select/collect.js';
import type { Selection } from '../select/select.js';
import { buildMutant, type MutantBuild, type Original } from './build.js';
import type { Killers } from './killers.js';
import { nearest, ofUnit, type Kill } from './near.js';
import type { Mutant } from './load.js';
import { asItApplies } from './refresh.js';
import type { MutantResult } from './results.js';
import { runUntilKilled, runWhole, type MutantRun, type TestsOn } from './run-mutant.js';
import { judge, namesOneOf, testName } from './verdict.js';

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
  /** Learns, once, to leave out tests that cannot see a mutant; undefined when none are to be left out. */
  readonly learn: (() => Promise<CanSee>) | undefined;
  /** Which test to try first. */
  readonly killers: Killers;
  /** What is known of others: their tests come next. */
  readonly kills: readonly Kill[];
  /** How often a test must fail to kill, and when the hunt for one ends. */
  readonly times: number;
  readonly withinMs: number;
}

export async function tryMutant(mutant: Mutant, original: Original, on: TestsOn, tests: TrialTests): Promise<Trial> {
  const startedMs = Date.now();
  const folder = temporaryFolder('mutant-');
  let ready: MutantBuild | undefined;
  try {
    ready = await makeReady(mutant, original, folder, on);
    const { kernel, module, moduleDir } = ready;
    const [here, built] = [{ ...on, settings: { moduleDir } }, { kernel, module }];
    const look = async () => lookAt(mutant, tests, await asItApplies(mutant, original));
    const seen = await (tests.others === undefined ? kill(mutant, here, built, tests, look) : runAll(mutant, here, built, tests, look));
    return { mutant, ...seen, broken: undefined, isUncompiled: false, wallMs: Date.now() - startedMs };
  } catch (error) {
    const isUncompiled = error instanceof BuildError && error.blame === 'product';
    return { mutant, run: undefined, broken: errorText(error), isUncompiled, sight: undefined, wallMs: Date.now() - startedMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    // Dozens of megabytes each, made in a moment: not worth their place in the cache.
    if (ready !== undefined) await forgetCheckpoints(mutant.kind === 'kernel' ? ready.kernel.key : ready.module.key);
  }
}

interface Look {
  readonly patch: string;
  readonly sees: (test: KnownTest) => boolean;
  readonly canSee: CanSee | undefined;
  readonly sight: Sight | undefined;
}

async function lookAt(mutant: Mutant, { all, learn }: TrialTests, patch: string): Promise<Look> {
  const canSee = await learn?.();
  const sees = canSee?.(patch) ?? (() => true);
  return { patch, sees, canSee, sight: canSee && sightOf(mutant, all, all.filter(sees)) };
}

type Seen = Pick<Trial, 'sight'> & { readonly run: MutantRun };

/** First with the test that killed it before; only when that one does not, those are asked for that can see it. */
async function kill({ specIds, key }: Mutant, on: TestsOn, ready: Ready, tests: TrialTests, look: () => Promise<Look>): Promise<Seen> {
  const own = tests.all.filter((test) => namesOneOf(test, specIds));
  const { times, withinMs, killers, kills } = tests;
  let sight: Sight | undefined;
  const others = async () => {
    const seen = await look();
    sight = seen.sight;
    const unit = ofUnit(own.map(testName), seen.patch);
    return byPromise(own.filter(seen.sees), { near: nearest(kills, seen.patch), unit }, seen.canSee);
  };
  const run = await runUntilKilled(on, ready, { first: own.filter((test) => testName(test) === killers.get(key)), others, times, withinMs });
  return { run, sight };
}

async function runAll({ specIds }: Mutant, on: TestsOn, ready: Ready, { all, others = [] }: TrialTests, look: () => Promise<Look>): Promise<Seen> {
  const { sees, sight } = await look();
  return { run: await runWhole(on, ready, specIds, all.filter(sees), others.filter(sees)), sight };
}

/** So many of each kind come first. */
const firstFew = 12;

/** Those first that have killed near by, and those that reach little or are of the unit: they are about the place, and quick. Then those that
 *  have killed at all. */
function byPromise(
  tests: Selection['tests'], { near, unit }: { readonly near: readonly string[]; readonly unit: readonly string[] }, canSee: CanSee | undefined,
): Selection['tests'][] {
  const byName = new Map(tests.map((test) => [testName(test), test]));
  const killing = near.flatMap((name) => byName.get(name) ?? []);
  const cases = tests.filter((test) => unit.includes(testName(test)) && !killing.includes(test));
  const others = tests.filter((test) => !killing.includes(test) && !cases.includes(test));
  if (canSee === undefined) return [[...killing.slice(0, firstFew), ...cases], killing.slice(firstFew), others];
  const sorted = others.sort((a, b) => canSee.reach(a) - canSee.reach(b));
  return [[...killing.slice(0, firstFew), ...cases, ...sorted.slice(0, firstFew)], killing.slice(firstFew), sorted.slice(firstFew)];
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
