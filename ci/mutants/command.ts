/** npm start -- mutants: plants known bugs, one at a time, and tells which of them the tests catch. */
import type { KernelLine } from '../../vm/index.js';
import { checkChoices } from '../build/choices.js';
import { moduleFolder } from '../build/prepare.js';
import { exitCodes, RigError, UsageError } from '../cli/exit-codes.js';
import { installMissing } from '../host/install.js';
import { hashOrder } from '../select/hash-order.js';
import { withoutLong } from '../select/long.js';
import { select, type Selection } from '../select/select.js';
import { Progress } from '../session/progress.js';
import { openSession } from '../session/session.js';
import { readSpec } from '../spec/load.js';
import { readKillers } from './killers.js';
import { readMutants, selectMutants, type Mutant } from './load.js';
import { killsOf, mutantPlaces } from './near.js';
import { mutantsHelp, parseMutantsCli, type MutantsOptions } from './options.js';
import { refreshMutants } from './refresh.js';
import { runMutants } from './run.js';
import { calledBy, changeName } from './systematic/choose.js';
import { changesIn } from './systematic/make.js';

/** Finds the tests that there are; the entry knows how. */
export type FindTests = (options: MutantsOptions) => Promise<Selection>;

/** `argv` is what stands behind `mutants`. */
export async function mutantsCommand(root: string, argv: readonly string[], findTests: FindTests): Promise<number> {
  const options = parseMutantsCli(argv);
  if (options.command === 'help') return print(mutantsHelp);
  const written = readMutants(root, readSpec(root));
  const moduleDir = moduleFolder(root, options);
  const systematicWords = options.selection.filter((word) => word.startsWith('systematic/'));
  const called = namesOf(systematicWords, moduleDir);
  const words = [...options.selection.filter((word) => !systematicWords.includes(word)), ...options.specIds.map((id) => id.toUpperCase())];
  const chosen = words.length === 0 && called.length > 0 ? [] : sampled(selectMutants(words, written), options);
  if (options.command === 'list') {
    return print(options.json ? JSON.stringify([...chosen, ...called.map((name) => ({ name }))]) : [...called, listText(chosen, called.length)].join('\n'));
  }
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  const line: KernelLine = await checkChoices(options);
  const session = openSession();
  try {
    if (options.refresh) return await refreshMutants(chosen, { line, moduleDir }, progress);
    const tests = await allTests(options, findTests);
    await installMissing(progress);
    const { times, withinMs } = options;
    const killers = readKillers(root);
    const places = mutantPlaces(written, moduleDir);
    const how = { all: tests, others: others(options, tests), times, withinMs, killers, kills: killsOf(killers, places) };
    return await runMutants({ root, options, line, moduleDir, session, progress, chosen, systematic: called, places, tests: how });
  } finally {
    await session.close();
  }
}

/** Of the systematic ones those that words call. Throws UsageError for a word that calls none. */
function namesOf(words: readonly string[], moduleDir: string): string[] {
  const changes = words.length === 0 ? [] : changesIn(moduleDir);
  return words.flatMap((word) => {
    const called = calledBy(changes, word);
    if (called.length === 0) throw new UsageError(`no systematic change is called "${word}"; npm start -- mutants systematic/FILE.c --list names those of a file`);
    return called.map(changeName);
  });
}

/** Of the written ones as many as their share in the sample; the others of the sample are systematic. */
function sampled(written: readonly Mutant[], { sample, systematic, seed }: MutantsOptions): readonly Mutant[] {
  if (sample === undefined) return written;
  const count = Math.round(sample * written.length / (written.length + systematic));
  const chosen = new Set(hashOrder(written, ({ name }) => `${seed} ${name}`).slice(0, count));
  return written.filter((one) => chosen.has(one));
}

async function allTests(options: MutantsOptions, findTests: FindTests): Promise<Selection['tests']> {
  const { tests, broken } = withoutLong(await findTests({ ...options, selection: [], specIds: [] })).selection;
  if (broken[0] !== undefined) throw new RigError(`${broken[0].file} does not load: ${broken[0].error}`);
  return tests;
}

function others({ all, also }: MutantsOptions, tests: Selection['tests']): Selection['tests'] | undefined {
  if (all) return tests;
  return also.length > 0 ? select(also, { tests, broken: [] }).tests : undefined;
}

function listText(mutants: readonly Mutant[], systematic: number): string {
  const blocks = mutants.map(({ name, specIds, breaks, forWhom, howBad }) =>
    `${name}  [${specIds.join(' ')}]\n  ${breaks}\n  For whom: ${forWhom}\n  How bad: ${howBad}`);
  const count = `${mutants.length} mutants of ${new Set(mutants.flatMap(({ specIds }) => specIds)).size} ids`;
  return [...blocks, systematic > 0 ? `${count}, ${systematic} systematic changes` : count].join('\n');
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return exitCodes.passed;
}
