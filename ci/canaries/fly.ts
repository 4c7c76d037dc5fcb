/** Canaries: each run tries a few known bugs on the module too, with the test that sees each. One that is not seen turns the
 *  run red: then its other tests, green as they may be, prove nothing on this machine either. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule, errorText, forgetCheckpoints, temporaryFolder } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { CliOptions } from '../cli/args.js';
import { tryApply } from '../mutants/apply.js';
import { runSome } from '../mutants/run-mutant.js';
import { pendingCase, type CaseReport, type Problem } from '../report/model.js';
import { repeatRun, type RepeatChoices } from '../report/repeat.js';
import type { ReportStore } from '../report/store.js';
import { caseLine } from '../report/summary.js';
import type { Progress } from '../session/progress.js';
import type { Collected } from '../select/collect.js';
import { inTurn, usualCanaries } from './choose.js';
import { readCanaries, type Canary } from './load.js';

export interface CanariesOf {
  readonly root: string;
  readonly options: Pick<CliOptions, 'canaries' | 'shard'> & RepeatChoices;
  /** All tests that there are. */
  readonly all: Collected;
  /** How many of them the run has. */
  readonly tests: number;
  readonly store: ReportStore;
}

export interface Flight {
  readonly root: string;
  readonly options: CliOptions;
  readonly ready: Ready;
  readonly resultsDir: string;
  readonly runDir: string;
  readonly store: ReportStore;
  readonly progress: Progress;
}

const limitMs = 10 * 60_000;

/** Puts a case for each canary of the run into the report before anything runs. What it returns fills them. Of several shards
 *  the first carries them. */
export function announceCanaries({ root, options, all, tests, store }: CanariesOf): (flight: Omit<Flight, 'root' | 'store'>) => Promise<void> {
  const announced = announce(options.shard.index > 1 ? 0 : options.canaries ?? usualCanaries(tests), store, options);
  return (flight) => flyCanaries(() => readCanaries(root, all), announced, { ...flight, root, store });
}

/** A case for each; what never flies is seen there. */
export function announce(count: number, store: ReportStore, choices: RepeatChoices): CaseReport[] {
  const repeat = repeatRun(['--canaries', String(count)], choices);
  const cases = Array.from({ length: count }, (_, at) => {
    const name = `canary ${at + 1} of ${count} is caught`;
    return pendingCase({ id: `canary:${at + 1}`, suite: 'canaries', file: '', name, specIds: [], repeat });
  });
  store.add(...cases);
  return cases;
}

/** Fills the announced cases. What does not fit the module as it is now is passed over; when none is left, that is an error. */
async function flyCanaries(read: () => readonly Canary[], announced: readonly CaseReport[], flight: Flight): Promise<void> {
  let waiting: Canary[] | undefined;
  for (const target of announced) {
    const startedMs = Date.now();
    try {
      waiting ??= inTurn(read(), flight.options.seed);
      const { canary, moduleDir, folder } = await nextThatFits(waiting);
      try {
        judge(target, canary, await runOn(canary, moduleDir, flight), flight.options);
        if (target.state === 'passed' && !await passesWithout(canary, flight)) {
          end(target, 'error', { blame: 'rig', type: 'CanaryError', message: `${canary.test.name} fails without ${canary.mutant.name} too` });
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    } catch (error) {
      end(target, 'error', { blame: 'rig', type: 'CanaryError', message: errorText(error) });
    }
    target.durationMs = Date.now() - startedMs;
    flight.store.changed();
    flight.progress.say(caseLine(target, flight.progress));
  }
}

/** Takes canaries off the list until one's patch applies to a copy of our module. Another module is no place for our bugs: that
 *  the tests see what they should is proved on our own, with this kernel and this machine. */
async function nextThatFits(waiting: Canary[]): Promise<{ canary: Canary; folder: string; moduleDir: string }> {
  for (let canary = waiting.shift(); canary !== undefined; canary = waiting.shift()) {
    const folder = temporaryFolder('canary-');
    const moduleDir = join(folder, 'module');
    mkdirSync(moduleDir);
    cpSync(new URL('../../module/', import.meta.url), moduleDir, { recursive: true });
    if (await tryApply(canary.mutant, folder) === undefined) return { canary, folder, moduleDir };
    rmSync(folder, { recursive: true, force: true });
  }
  throw new Error('no canary of suites/canaries.yaml is left whose patch fits module/: npm start -- mutants --refresh');
}

async function runOn({ mutant, test }: Canary, moduleDir: string, flight: Flight): Promise<CaseReport | undefined> {
  const { root, options, runDir, progress, ready } = flight;
  const step = progress.step(`canary ${mutant.name}`);
  step.update('module build');
  const module = await buildModule(ready.kernel, moduleDir).finally(() => step.drop());
  const resultsDir = join(flight.resultsDir, 'canaries', mutant.name.replaceAll('/', '-'));
  const on = { root, options, resultsDir, runDir, progress, title: `canary ${mutant.name}`, repeat: repeatOf(mutant, options), settings: { moduleDir } };
  try {
    const cases = await runSome(on, { kernel: ready.kernel, module }, [[test]], Date.now() + limitMs, () => true);
    return cases.find(({ file, name }) => file === test.file && name === test.name);
  } finally {
    await forgetCheckpoints(module.key);
  }
}

/** In this run, or now when it has no part in it. */
async function passesWithout({ mutant, test }: Canary, flight: Flight): Promise<boolean> {
  const here = flight.store.report.cases.find(({ id, file, name }) => id === test.id && file === test.file && name === test.name);
  if (here !== undefined) return here.state === 'passed';
  const { root, options, runDir, progress, ready } = flight;
  const resultsDir = join(flight.resultsDir, 'canaries', `without-${mutant.name.replaceAll('/', '-')}`);
  const on = { root, options, resultsDir, runDir, progress, title: `without canary ${mutant.name}` };
  const [seen] = await runSome(on, ready, [[test]], Date.now() + limitMs, () => true);
  return seen?.state === 'passed';
}

/** On our own module, where it is planted. */
function repeatOf(mutant: Canary['mutant'], choices: RepeatChoices): string {
  return repeatRun(['mutants', mutant.name], { ...choices, moduleDir: undefined });
}

/** Pure but for `target`: caught is a failure of the product in that test, and nothing else. It is repeated on our own module,
 *  where it was planted. */
export function judge(target: CaseReport, { mutant, test }: Canary, seen: CaseReport | undefined, choices: RepeatChoices): void {
  Object.assign(target, { name: `${mutant.name} is caught by ${test.file} > ${test.name}`, repeat: repeatOf(mutant, choices) });
  if (seen?.state === 'failed') {
    target.state = 'passed';
  } else if (seen?.state === 'passed') {
    const message = `${test.file} > ${test.name} passes on a module where this is wrong: ${mutant.breaks}`;
    end(target, 'failed', { blame: 'product', type: 'CanaryNotCaught', message });
  } else {
    const said = seen?.problems.map(({ message }) => message).join('; ') || seen?.skipReason || 'no outcome';
    end(target, 'error', { blame: 'rig', type: 'CanaryError', message: `${test.file} > ${test.name} says nothing of ${mutant.name}: ${said}` });
  }
}

function end(target: CaseReport, state: 'failed' | 'error', problem: Pick<Problem, 'blame' | 'type' | 'message'>): void {
  target.state = state;
  target.problems = [{ ...problem, isNamed: true, detail: '' }];
}
