/** npm start: parse, select, make ready, prove, report. Each step's work is elsewhere; this is their order. */
import { fileURLToPath } from 'node:url';
import type { KernelLine } from '../vm/index.js';
import { prepareGuests } from './build/prepare.js';
import { checkChoices } from './build/choices.js';
import { parseCli, type CliOptions } from './cli/args.js';
import { exitCodes } from './cli/exit-codes.js';
import { startHelp } from './cli/help.js';
import { runMain } from './cli/main.js';
import { doctor } from './host/doctor.js';
import { installMissing } from './host/install.js';
import { finish } from './report/finish.js';
import { repeatSuiteTest, type Repeat } from './report/repeat.js';
import { createResultsDir } from './report/results.js';
import { ReportStore } from './report/store.js';
import { collectTests } from './select/collect.js';
import { listJson, listText } from './select/list.js';
import { select, type Selection } from './select/select.js';
import { Progress } from './session/progress.js';
import { announce, runTests } from './session/run-tests.js';
import { openSession, type Session } from './session/session.js';
import { passSettings } from './session/settings.js';
import { openVitest } from './session/vitest.js';
import { readLastRun } from './spec/last-results.js';
import { readSpec } from './spec/load.js';
import { specExitCode, specJson, specReport, specText } from './spec/report.js';

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(argv: readonly string[]): Promise<number> {
  const options = parseCli(argv);
  if (options.command === 'help') return print(startHelp);
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  if (options.command === 'doctor') return await doctor(root, options);
  const line = await checkChoices(options);
  const session = openSession();
  try {
    const selection = await findTests(options);
    if (options.command === 'list') return print(options.json ? listJson(selection) : listText(selection));
    if (options.command === 'spec') return printSpec(selection, options.json);
    await installMissing(progress);
    return await runSuites({ options, line, selection, session, progress });
  } finally {
    await session.close();
  }
}

async function findTests(options: CliOptions): Promise<Selection> {
  passSettings(options);
  const vitest = await openVitest(root, 'suites', options.jobs);
  try {
    return select(options.selection, await collectTests(vitest, root));
  } finally {
    await vitest.close();
  }
}

interface SuiteRun {
  readonly options: CliOptions;
  readonly line: KernelLine;
  readonly selection: Selection;
  readonly session: Session;
  readonly progress: Progress;
}

async function runSuites({ options, line, selection, session, progress }: SuiteRun): Promise<number> {
  const { flavour, seed, jobs } = options;
  const resultsDir = createResultsDir(root, new Date());
  const store = new ReportStore(resultsDir, { kernel: line.name, flavour, seed: String(seed) });
  session.onInterrupt = () => void store.flush();
  const repeat: Repeat = (file, name) => repeatSuiteTest(file, name, options);
  announce(selection, store, repeat);
  progress.say(`kernel ${line.name}, flavour ${flavour}, seed ${seed}, ${selection.tests.length} tests, ${jobs} at a time`);
  try {
    const ready = await prepareGuests({ root, line, cli: options, store, progress, repeat: 'npm start' });
    if (ready !== undefined) {
      passSettings({ ...options, ...ready, resultsDir, runDir: session.runDir });
      await runTests({ root, project: 'suites', jobs, selection, store, repeat, progress });
    }
    return finish(store, options.json, progress);
  } finally {
    store.flush();
  }
}

function printSpec(all: Selection, isJson: boolean): number {
  const report = specReport(readSpec(root), all, readLastRun(root));
  print(isJson ? specJson(report) : specText(report));
  return specExitCode(report);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return exitCodes.passed;
}

await runMain(() => main(process.argv.slice(2)));
