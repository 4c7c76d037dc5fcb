/** One mutant from its patch to what its tests say. Whatever keeps it from being tried is part of the outcome. */
import { bootGuest, errorText, forgetCheckpoints } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { Selection } from '../select/select.js';
import { buildMutant, type Original } from './build.js';
import type { Mutant } from './load.js';
import type { MutantResult } from './results.js';
import { runOnMutant, type MutantRun, type TestsOn } from './run-mutant.js';
import { judge } from './verdict.js';

export interface Trial {
  readonly mutant: Mutant;
  /** Undefined when nothing could be run. */
  readonly run: MutantRun | undefined;
  /** Why nothing could be run. */
  readonly broken: string | undefined;
  /** Building and testing. */
  readonly wallMs: number;
}

export interface TrialTests {
  readonly all: Selection['tests'];
  /** To be run besides those of the mutant's ids; undefined when one failure of these is enough. */
  readonly others: Selection['tests'] | undefined;
}

export async function tryMutant(mutant: Mutant, original: Original, on: TestsOn, { all, others }: TrialTests): Promise<Trial> {
  const startedMs = Date.now();
  let ready: Ready | undefined;
  try {
    ready = await makeReady(mutant, original, on);
    const run = await runOnMutant(on, ready, mutant.specIds, all, others);
    return { mutant, run, broken: undefined, wallMs: Date.now() - startedMs };
  } catch (error) {
    return { mutant, run: undefined, broken: errorText(error), wallMs: Date.now() - startedMs };
  } finally {
    // Dozens of megabytes each, made in a moment: not worth their place in the cache.
    if (ready !== undefined) await forgetCheckpoints(mutant.kind === 'kernel' ? ready.kernel.key : ready.module.key);
  }
}

/** A kernel that does not even boot would fail every test, and be caught by none. */
async function makeReady(mutant: Mutant, original: Original, { progress }: TestsOn): Promise<Ready> {
  const step = progress.step(`building ${mutant.name}`);
  try {
    const tell = ({ what, done, total }: { what: string; done?: number; total?: number }) =>
      step.update(what, total ? (done ?? 0) / total : undefined);
    const ready = await buildMutant(mutant, original, tell);
    if (mutant.kind === 'kernel') await (await bootGuest(ready.kernel, { disks: [] }, { progress: tell })).close();
    return ready;
  } finally {
    step.drop();
  }
}

/** Pure. `failAnyway` are the ids of tests that fail on the original too. */
export function resultOf({ mutant, run, broken, wallMs }: Trial, failAnyway: ReadonlySet<string>, isWhole: boolean): MutantResult {
  if (run === undefined) {
    const nothing = { killedBy: [], alsoFailed: [], passed: [], unsure: [], isExact: undefined };
    return { mutant, verdict: 'broken', note: broken, killedAfterMs: undefined, wallMs, ...nothing };
  }
  const judgement = judge({ specIds: mutant.specIds, cases: run.cases, failAnyway, isWhole });
  return { mutant, wallMs, ...judgement, killedAfterMs: judgement.verdict === 'killed' ? run.killedAfterMs : undefined };
}
