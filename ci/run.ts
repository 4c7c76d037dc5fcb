/** npm start: parse, select, make ready, prove, report. Each step's work is elsewhere; this is their order. */
import { fileURLToPath } from 'node:url';
import type { KernelLine } from '../vm/index.js';
import { prepareGuests } from './build/prepare.js';
import { checkChoices } from './build/choices.js';
import { announceCanaries } from './canaries/fly.js';
import { optionNames, parseCli, type CliOptions } from './cli/args.js';
import { commands } from './cli/commands.js';
import { exitCodes } from './cli/exit-codes.js';
import { startHelp } from './cli/help.js';
import { runMain } from './cli/main.js';
import { requireNoneTaken } from './cli/npm-options.js';
import { exploreCommand } from './explore/command.js';
import { doctor } from './host/doctor.js';
import { installMissing } from './host/install.js';
import { metAllowances, tellKlogFindings } from './klog/check.js';
import { mutantsCommand } from './mutants/command.js';
import { finish } from './report/finish.js';
import { closingLine } from './report/summary.js';
import { mergeReports } from './merge/command.js';
import { runOrigin } from './report/origin.js';
import { repeatRun, repeatSuiteTest, wordsOf, type Repeat } from './report/repeat.js';
import { createResultsDir } from './report/results.js';
import { ReportStore } from './report/store.js';
import { variantDir } from './report/variant.js';
import type { Collected } from './select/collect.js';
import { listJson, listText } from './select/list.js';
import { selectBySpec } from './select/by-spec.js';
import { excludedBy, without } from './select/exclude.js';
import { withCore } from './select/core.js';
import { leftOut, withoutLong, type Shortened } from './select/long.js';
import { makePlan, type Shard } from './select/plan.js';
import { roundsOf, type Round } from './select/rounds.js';
import { select, type Selection } from './select/select.js';
import { findTests } from './session/find-tests.js';
import { Progress } from './session/progress.js';
import { announce, runTests, skipExcluded } from './session/run-tests.js';
import { openSession, type Session } from './session/session.js';
import { passSettings } from './session/settings.js';
import { shell } from './shell/shell.js';
import { readLastResults } from './spec/last-results.js';
import { readSpec } from './spec/load.js';
import { specExitCode, specJson, specReport } from './spec/report.js';
import { specText } from './spec/text.js';

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(argv: readonly string[]): Promise<number> {
  requireNoneTaken(optionNames, 'start');
  if (argv[0] === 'mutants') return await mutantsCommand(root, argv.slice(1), findSuites);
  if (argv[0] === 'explore') return await exploreCommand(root, argv.slice(1));
  const options = parseCli(argv);
  if (options.command === 'help') return print(startHelp);
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  if (options.command === 'doctor') return await doctor(root, options);
  if (options.command === 'merge') return mergeReports(root, options, progress);
  const line = await checkChoices(options);
  const session = openSession();
  try {
    if (options.command === 'shell') return await shell(root, line, options);
    const all = await findSuites(options);
    if (options.command === 'spec') return printSpec(all, options);
    const { selection, left } = chooseTests(options, all);
    const excluded = excludedBy(options.exclude, all);
    if (options.command === 'list') return print(list(selection, left, options, excluded));
    await installMissing(progress);
    if (left > 0) progress.say(leftOut(left));
    return await runSuites({ options, line, all, selection, excluded, isWhole: excluded.size === 0 && selection.tests.length + left === all.tests.length, session, progress });
  } finally {
    await session.close();
  }
}

/** What this shard would run. */
function list(whole: Selection, left: number, { json, shard }: CliOptions, excluded: ReadonlyMap<string, string>): string {
  const selection = without(makePlan([{ selection: whole }], shard).parts[0]?.selection ?? whole, excluded);
  return json ? listJson(selection) : [listText(selection), ...left > 0 ? [leftOut(left)] : []].join('\n');
}

/** The tests that the words mean, and how many long ones of them are left out. */
function chooseTests({ selection: words, specIds, long: isLongWanted }: CliOptions, all: Collected): Shortened {
  const asked = (long: boolean) => selectBySpec(specIds, select(withCore(words, root), all, { long, commands }));
  const selection = asked(isLongWanted);
  if (words.length === 0) return isLongWanted ? { selection, left: 0 } : withoutLong(selection);
  return { selection, left: asked(true).tests.length - selection.tests.length };
}

/** What a suite declares may depend on the settings. */
function findSuites(options: CliOptions): Promise<Collected> {
  passSettings(options);
  return findTests(root, 'suites');
}

interface SuiteRun {
  readonly options: CliOptions;
  readonly line: KernelLine;
  readonly all: Collected;
  readonly selection: Selection;
  /** Of tests that do not run, the word that says so, by their ids. */
  readonly excluded: ReadonlyMap<string, string>;
  /** It leaves out none but what takes long. */
  readonly isWhole: boolean;
  readonly session: Session;
  readonly progress: Progress;
}

async function runSuites({ options, line, all, selection, excluded, isWhole, session, progress }: SuiteRun): Promise<number> {
  const { flavour, seed, jobs, shard } = options;
  const rounds = roundsOf(seed, options.repeat).map((round) => ({ ...round, selection, repeat: repeatOf(options, round) }));
  const plan = makePlan(rounds, shard);
  const repeat = repeatRun(wordsOf(options), options);
  const origin = await runOrigin(root, options, plan);
  const resultsDir = createResultsDir(root, new Date(), shard);
  const store = new ReportStore(resultsDir, { line: line.name, flavour, seed: String(seed) }, origin);
  session.onInterrupt = () => store.seal();
  for (const part of plan.parts) {
    announce(part.selection, store, part.repeat, part.variant);
    skipExcluded(part.selection, excluded, store, part.variant);
  }
  const flyCanaries = announceCanaries({ root, options, all, tests: plan.total, store });
  progress.say(`kernel ${line.name}, flavour ${flavour}${options.driver ? `, driver ${options.driver}` : ''}, seed ${seed}, ${testsText(store, plan.total, shard)}, ${jobs} at a time`);
  try {
    const ready = await prepareGuests({ root, line, cli: options, store, progress, repeat });
    for (const part of ready === undefined ? [] : plan.parts) {
      const { variant } = part;
      if (variant !== undefined) progress.say(`${variant.label} of ${rounds.length}, seed ${part.seed}`);
      passSettings({ ...options, ...ready, seed: part.seed, resultsDir: variantDir(resultsDir, variant), runDir: session.runDir });
      await runTests({ root, project: 'suites', jobs, store, progress, ...part, selection: without(part.selection, excluded) });
      const own = store.report.cases.filter((one) => one.variant?.label === variant?.label);
      if (variant !== undefined) progress.say(`${variant.label}: ${closingLine(own)}`);
    }
    if (ready !== undefined) {
      await flyCanaries({ options, ready, resultsDir, runDir: session.runDir, progress });
      // On the other driver many tests are skipped.
      const met = isWhole && shard.count === 1 && options.driver === undefined ? metAllowances(store.report) : undefined;
      await tellKlogFindings(root, { kernel: { line: line.name, flavour }, met }, store, progress);
    }
    return finish(store, options.json, progress);
  } finally {
    store.flush();
  }
}

function repeatOf(options: CliOptions, { seed }: Round): Repeat {
  return (file, name) => repeatSuiteTest(file, name, { ...options, seed });
}

function testsText(store: ReportStore, total: number, { index, count }: Shard): string {
  return count === 1 ? `${total} tests` : `shard ${index}/${count} with ${store.report.cases.length} of ${total} tests`;
}

function printSpec(all: Collected, { selection, specIds, json }: CliOptions): number {
  const report = specReport(readSpec(root), all, readLastResults(root), [...selection, ...specIds]);
  print(json ? specJson(report) : specText(report));
  return specExitCode(report);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return exitCodes.passed;
}

await runMain(() => main(process.argv.slice(2)));
