/** npm start -- explore: guests side by side play random sequences next to a model. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SuiteSettings } from '../../suites/fixtures/settings.js';
import { Coverage } from '../../suites/explorer/coverage.js';
import { explore, sequenceNumber, type Explorer } from '../../suites/explorer/explore.js';
import type { KernelLine } from '../../vm/index.js';
import { checkChoices } from '../build/choices.js';
import { prepareGuests, type Ready } from '../build/prepare.js';
import { exitCodes } from '../cli/exit-codes.js';
import { installMissing } from '../host/install.js';
import { caught, toProblems } from '../report/classify.js';
import { finish } from '../report/finish.js';
import { pendingCase } from '../report/model.js';
import { quote } from '../report/repeat.js';
import { createResultsDir } from '../report/results.js';
import { ReportStore } from '../report/store.js';
import { Progress } from '../session/progress.js';
import { openSession, type Session } from '../session/session.js';
import { passSettings } from '../session/settings.js';
import { Log } from './log.js';
import { exploreHelp, parseExploreCli, type ExploreOptions } from './options.js';

/** `argv` is what stands behind `explore`. */
export async function exploreCommand(root: string, argv: readonly string[]): Promise<number> {
  const options = parseExploreCli(argv);
  if (options.command === 'help') {
    process.stdout.write(`${exploreHelp}\n`);
    return exitCodes.passed;
  }
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  const line = await checkChoices(options);
  const session = openSession();
  try {
    await installMissing(progress);
    return await runExplorer({ root, options, line, session, progress });
  } finally {
    await session.close();
  }
}

interface Run {
  readonly root: string;
  readonly options: ExploreOptions;
  readonly line: KernelLine;
  readonly session: Session;
  readonly progress: Progress;
}

async function runExplorer({ root, options, line, session, progress }: Run): Promise<number> {
  const resultsDir = createResultsDir(root, new Date());
  const { flavour, seed, jobs, minutes, steps } = options;
  const store = new ReportStore(resultsDir, { line: line.name, flavour, seed: String(seed) });
  const repeat = repeatLine(options, options.sequence);
  const all = pendingCase({ id: 'explore', suite: 'explorer', file: '', name: 'random sequences', specIds: ['CBT-11'], repeat });
  store.add(all);
  const guests = options.sequence === undefined ? jobs : 1;
  const time = options.sequence === undefined ? `${minutes} minutes` : `sequence ${options.sequence}`;
  progress.say(`kernel ${line.name}, flavour ${flavour}, seed ${seed}, ${time}, ${steps} steps a sequence, ${guests} guests`);
  const ready = await prepareGuests({ root, line, cli: options, store, progress, repeat });
  if (ready === undefined) return finish(store, options.json, progress);

  mkdirSync(join(resultsDir, 'remains'), { recursive: true });
  const settings = settingsOf(options, ready, resultsDir, session.runDir);
  const coverage = new Coverage();
  const log = new Log({ options, coverage, resultsDir, progress, repeat: (sequence) => repeatLine(options, sequence) });
  const interrupted = new AbortController();
  session.onInterrupt = () => {
    interrupted.abort();
    log.write();
    log.tellAll();
    store.seal();
  };
  const rigErrors = await playAll({ settings, coverage, steps, isOver: (work) => log.isOver(work), tell: log }, options);
  if (interrupted.signal.aborted) return exitCodes.interrupted;
  log.end();
  all.durationMs = log.wallMs;
  all.problems = [...log.problems(), ...rigErrors.flatMap((error) => toProblems([caught(error, 'rig')]))];
  all.state = log.found.length > 0 ? 'failed' : rigErrors.length > 0 ? 'error' : 'passed';
  store.changed();
  log.tellAll();
  return finish(store, options.json, progress);
}

/** Guests side by side; what the rig did wrong. */
async function playAll(explorer: Explorer, { jobs, seed, sequence }: ExploreOptions): Promise<unknown[]> {
  const only = sequence === undefined ? undefined : [sequence];
  const streams = Array.from({ length: only === undefined ? jobs : 1 }, (_, guest) => {
    let index = 0;
    return () => (only === undefined ? sequenceNumber(seed, guest, index++) : only.shift());
  });
  const ends = await Promise.allSettled(streams.map((next) => explore(explorer, next)));
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
}

function settingsOf(options: ExploreOptions, ready: Ready, resultsDir: string, runDir: string): SuiteSettings {
  const { line, flavour, seed, keep, moduleDir } = options;
  const settings: SuiteSettings = { line, flavour, seed, keep, resultsDir, runDir, ...ready, ...(moduleDir === undefined ? {} : { moduleDir }) };
  passSettings(settings);
  return settings;
}

function repeatLine({ seed, steps, minutes, jobs, line, flavour, moduleDir }: ExploreOptions, sequence: number | undefined): string {
  const what = sequence === undefined ? ['--minutes', `${minutes}`, '--seed', `${seed}`, '--jobs', `${jobs}`] : ['--sequence', `${sequence}`];
  const words = ['npm', 'start', '--', 'explore', ...what, '--steps', `${steps}`, '--line', line, '--flavour', flavour];
  return [...words, ...(moduleDir === undefined ? [] : ['--module', moduleDir])].map(quote).join(' ');
}
