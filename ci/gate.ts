/** npm test: the project's own gate. Checks of the code, unit tests of the runner, kernel style, then the suites;
 *  every step and every test is a case of one report. A step that fails does not stop the others. */
import { fileURLToPath } from 'node:url';
import type { KernelLine } from '../vm/index.js';
import { checkChoices } from './build/choices.js';
import { moduleFolder, prepareGuests } from './build/prepare.js';
import type { Check } from './checks/check.js';
import { announceCanaries } from './canaries/fly.js';
import { codeChecks } from './checks/code.js';
import { kernelChecks } from './checks/kernel.js';
import { runCheck } from './checks/run-check.js';
import { optionNames, parseCli, type CliOptions } from './cli/args.js';
import { exitCodes, UsageError } from './cli/exit-codes.js';
import { gateHelp } from './cli/help.js';
import { runMain } from './cli/main.js';
import { requireNoneTaken } from './cli/npm-options.js';
import { installMissing } from './host/install.js';
import { klogCheck, metAllowances } from './klog/check.js';
import { finish } from './report/finish.js';
import { runOrigin } from './report/origin.js';
import { repeatRun, repeatSuiteTest, repeatUnitTest, type Repeat } from './report/repeat.js';
import { createResultsDir } from './report/results.js';
import type { CaseReport } from './report/model.js';
import { ReportStore } from './report/store.js';
import { variantDir } from './report/variant.js';
import type { Collected } from './select/collect.js';
import { readCore, selectCore } from './select/core.js';
import { leftOut, withoutLong } from './select/long.js';
import { makePlan, type Part } from './select/plan.js';
import { findTests } from './session/find-tests.js';
import { Progress } from './session/progress.js';
import { announce, runTests } from './session/run-tests.js';
import { openSession, type Session } from './session/session.js';
import { passSettings } from './session/settings.js';
import { specCheck } from './spec/check.js';

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(argv: readonly string[]): Promise<number> {
  requireNoneTaken(optionNames, 'test');
  const options = parseCli(argv);
  if (options.command === 'help') {
    process.stdout.write(`${gateHelp}\n`);
    return exitCodes.passed;
  }
  if (options.driver !== undefined) throw new UsageError('npm test runs with its own choice of driver; --driver belongs to npm start');
  if (options.command !== 'run' || options.selection.length + options.specIds.length + options.exclude.length > 0) {
    throw new UsageError('npm test runs everything; to select, list or look at the machine use npm start');
  }
  if (options.repeat > 1) {
    throw new UsageError('npm test runs everything once; to repeat the suites use npm start -- --repeat');
  }
  const line = await checkChoices(options);
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  const session = openSession();
  try {
    await installMissing(progress);
    return await runGate(options, line, session, progress);
  } finally {
    await session.close();
  }
}

async function runGate(options: CliOptions, kernelLine: KernelLine, session: Session, progress: Progress): Promise<number> {
  const { line, flavour, seed, jobs, shard } = options;
  passSettings(options);
  const all = await findTests(root, 'suites');
  const { selection: short, left } = withoutLong(all);
  const plan = makePlan([{ selection: options.long ? all : short, flavour }, ...corePart(all, options, kernelLine)], shard);
  const origin = await runOrigin(root, { ...options, selection: ['npm test'] }, plan);
  const resultsDir = createResultsDir(root, new Date(), shard);
  const store = new ReportStore(resultsDir, { line, flavour, seed: String(seed) }, origin);
  session.onInterrupt = () => store.seal();
  const repeatOn = (on: string): Repeat => (file, name) => repeatSuiteTest(file, name, { ...options, flavour: on });
  progress.say(`kernel ${line}, flavour ${flavour}, seed ${seed}, ${jobs} guests at a time`);
  if (!options.long && left > 0) progress.say(leftOut(left));
  const whole = repeatRun([], options, 'test');
  let isWhole = shard.count === 1;
  try {
    for (const part of plan.parts) announce(part.selection, store, repeatOn(part.flavour), part.variant);
    const flyCanaries = announceCanaries({ root, options, all, tests: plan.total, store });
    // What is not of the suites is done once, by the first shard.
    if (shard.index === 1) {
      await runChecks([...codeChecks(root), specCheck(root, all, (line) => progress.say(line))], store, progress, whole);
      const selection = await findTests(root, 'meta');
      await runTests({ root, project: 'meta', jobs, selection, store, repeat: repeatUnitTest, progress });
    }
    for (const part of plan.parts) {
      if (part.selection.tests.length + part.selection.broken.length === 0) continue;
      const cli = { ...options, flavour: part.flavour };
      const needs = ({ variant }: CaseReport) => variant?.label === part.variant?.label;
      const ready = await prepareGuests({ root, line: kernelLine, cli, store, progress, repeat: whole, needs });
      if (ready === undefined) {
        isWhole = false;
        continue;
      }
      if (shard.index === 1 && part.variant === undefined) {
        await runChecks(kernelChecks(root, kernelLine, ready.kernel, moduleFolder(root, options)), store, progress, whole);
      }
      passSettings({ ...cli, ...ready, resultsDir: variantDir(resultsDir, part.variant), runDir: session.runDir });
      await runTests({ root, project: 'suites', jobs, store, progress, repeat: repeatOn(part.flavour), ...part });
      if (part.variant === undefined) await flyCanaries({ options: cli, ready, resultsDir, runDir: session.runDir, progress });
    }
    const met = isWhole ? metAllowances(store.report) : undefined;
    await runChecks([klogCheck(root, { kernel: { line, flavour }, met })], store, progress, whole);
    return finish(store, options.json, progress);
  } finally {
    store.flush();
  }
}

/** The core once more on the flavour that watches itself, unless all of it runs there already or the line has none. */
function corePart(all: Collected, { flavour }: CliOptions, { flavours }: KernelLine): (Part & { readonly flavour: string })[] {
  const core = readCore(root);
  if (core.flavour === flavour || !flavours.includes(core.flavour)) return [];
  return [{ selection: selectCore(core, all), flavour: core.flavour, variant: { label: core.flavour, facts: { flavour: core.flavour } } }];
}

/** `whole` is the command for what has none of its own. */
async function runChecks(checks: readonly Check[], store: ReportStore, progress: Progress, whole: string): Promise<void> {
  for (const check of checks) await runCheck({ ...check, repeat: check.repeat === 'npm test' ? whole : check.repeat }, store, progress);
}

await runMain(() => main(process.argv.slice(2)));
