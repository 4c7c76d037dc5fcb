/** Which tests can see a change of the code: those that reach its place. Learnt once, by running every test on a kernel
 *  and a module that tell where they are, and then known until the code, the tests or the seed change.
 *
 *  A test that did not pass with probes, or used guests that have none (KUnit, virtme-ng), is held to see every change. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { forgetCheckpoints, type KernelLine } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { CaseReport } from '../report/model.js';
import type { KnownTest } from '../select/collect.js';
import type { Progress } from '../session/progress.js';
import { buildProbed } from './build.js';
import { placesOf } from './hunks.js';
import { entriesOf, keepReached, readReached, type Reached } from './known.js';
import { findPlaces, readTold } from './probes.js';
import { sourcesUnderTest } from './sources.js';

/** For a patch, tells whether a test can see what it changes. */
export interface CanSee {
  (patch: string): (test: Pick<KnownTest, 'id'>) => boolean;
  /** How many places a test reaches; more than all there are when that is not known. */
  reach(test: Pick<KnownTest, 'id'>): number;
}

export interface LearnOptions {
  readonly root: string;
  readonly line: KernelLine;
  readonly flavour: string;
  readonly seed: number;
  readonly moduleDir: string;
  /** As built without probes. */
  readonly original: Ready;
  readonly tests: readonly KnownTest[];
  readonly progress: Progress;
  /** For what tests tell; removed afterwards. */
  readonly toldDir: string;
  /** Runs tests; the fixtures have what each one tells put into a folder of its id in toldDir. */
  readonly run: (ready: Ready, tests: readonly KnownTest[]) => Promise<readonly CaseReport[]>;
}

export async function learnReach(options: LearnOptions): Promise<CanSee> {
  const { root, line, seed, moduleDir, original, tests, progress } = options;
  const sources = findPlaces(await sourcesUnderTest(line, moduleDir));
  const entries = await entriesOf(root, tests, original, seed);
  const { reached, missing } = await readReached(entries);
  const unknown = tests.filter(({ file }) => missing.has(file));
  let learnt: Reached = new Map();
  if (unknown.length > 0) {
    progress.say(`learning which places ${unknown.length} of ${tests.length} tests reach`);
    learnt = await record(options, sources, unknown);
    await keepReached(entries, unknown, learnt);
  }
  const knownOf = ({ id }: Pick<KnownTest, 'id'>) => reached.get(id) ?? learnt.get(id);
  const canSee = (patch: string) => {
    const places = placesOf(patch, sources);
    return (test: Pick<KnownTest, 'id'>) => {
      const known = knownOf(test);
      return known === undefined || places === 'everywhere' || places.some((place) => known.has(place));
    };
  };
  return Object.assign(canSee, { reach: (test: Pick<KnownTest, 'id'>) => knownOf(test)?.size ?? Number.MAX_SAFE_INTEGER });
}

async function record(options: LearnOptions, sources: ReturnType<typeof findPlaces>, tests: readonly KnownTest[]): Promise<Reached> {
  const { line, flavour, moduleDir, progress, toldDir, run } = options;
  const step = progress.step('building with probes');
  const probed = await buildProbed({ line, flavour, moduleDir, sources }, ({ what }) => step.update(what)).finally(() => step.drop());
  try {
    const passed = (await run(probed, tests)).filter(({ state }) => state === 'passed');
    return new Map(passed.filter(({ id }) => existsSync(join(toldDir, id))).map(({ id }) => [id, toldIn(join(toldDir, id))]));
  } finally {
    rmSync(toldDir, { recursive: true, force: true });
    await forgetCheckpoints(probed.kernel.key);
  }
}

function toldIn(folder: string): ReadonlySet<number> {
  return new Set(readdirSync(folder).flatMap((name) => [...readTold(readFileSync(join(folder, name)))]));
}
