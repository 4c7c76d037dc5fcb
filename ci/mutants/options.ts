/** The command line of npm start -- mutants: its own options, and those of npm start that make sense here. */
import { helpFirst, parseCli, type CliOptions } from '../cli/args.js';
import { UsageError } from '../cli/exit-codes.js';
import { firstLimitMs } from './run-mutant.js';

export interface MutantsOptions extends CliOptions {
  /** Run every test there is on each mutant. */
  readonly all: boolean;
  /** Suites, files or names of tests to run besides those of the ids. */
  readonly also: readonly string[];
  /** So many systematic changes are tried as well. */
  readonly systematic: number;
  /** Of all that are chosen, only so many, by the seed; undefined means all. */
  readonly sample: number | undefined;
  /** A test kills when it fails so often, of as many tries. */
  readonly times: number;
  /** No test begins later on one mutant. */
  readonly withinMs: number;
  /** Write down which test killed each. */
  readonly remember: boolean;
  /** Rewrite patches that no longer fit to the letter. */
  readonly refresh: boolean;
}

/** Tried when nothing is chosen. */
const systematicUsually = 200;
const timesUsually = 2;
const numbers = { '--systematic': [0, 100_000], '--sample': [1, 100_000], '--times': [1, 1000], '--within': [1, 86_400] } as const;
const flags = ['--all', '--remember', '--refresh'] as const;
type NumberName = keyof typeof numbers;

/** Words behind `mutants`. Throws UsageError. */
export function parseMutantsCli(given: readonly string[]): MutantsOptions {
  const argv = helpFirst(given);
  const also: string[] = [];
  const rest: string[] = [];
  const numbersGiven: Partial<Record<NumberName, number>> = {};
  for (let index = 0; index < argv.length; index++) {
    const [word = '', value] = splitOption(argv[index] ?? '');
    if (word === '--also') also.push(valueOf(word, value ?? argv[++index]));
    else if (word in numbers) numbersGiven[word as NumberName] = numberOf(word as NumberName, value ?? argv[++index]);
    else if (!(flags as readonly string[]).includes(word)) rest.push(argv[index] ?? '');
    else if (value !== undefined) throw new UsageError(`${word} takes no value, got "${value}"`);
  }
  const options = parseCli(rest);
  if (!['run', 'list', 'help'].includes(options.command)) throw new UsageError(`mutants takes names of mutants, got "${options.command}"`);
  if (options.repeat !== 1 || options.shard.count !== 1) throw new UsageError('mutants runs as a whole and once: no --repeat, no --shard');
  if (options.long || options.canaries !== undefined) throw new UsageError('mutants plants its own bugs, and runs no long tests: no --canaries, no --long');
  if (options.exclude.length > 0) throw new UsageError('mutants tries all tests that name an id: no --exclude');
  const isChosen = options.selection.length + options.specIds.length > 0;
  return {
    ...options,
    // One seed unless another is asked for, so that what is known of which test sees what holds.
    seed: rest.some((word) => /^--seed\b/.test(word)) ? options.seed : 1,
    all: argv.includes('--all'),
    remember: argv.includes('--remember'),
    refresh: argv.includes('--refresh'),
    also,
    systematic: numbersGiven['--systematic'] ?? (isChosen ? 0 : systematicUsually),
    sample: numbersGiven['--sample'],
    times: numbersGiven['--times'] ?? timesUsually,
    withinMs: (numbersGiven['--within'] ?? firstLimitMs / 1000) * 1000,
  };
}

function splitOption(text: string): [word: string, value?: string] {
  const at = text.indexOf('=');
  return text.startsWith('--') && at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text];
}

function numberOf(name: NumberName, value: string | undefined): number {
  const [min, max] = numbers[name];
  const number = Number(value);
  if (value !== undefined && /^\d+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageError(`${name} takes a whole number from ${min} to ${max}, got "${value ?? ''}"`);
}

function valueOf(name: string, value: string | undefined): string {
  if (value === undefined || value === '' || value.startsWith('-')) throw new UsageError(`${name} takes a suite, a file or a part of a test's name`);
  return value;
}

export const mutantsHelp = `npm start -- mutants [name | kind | spec id ...] [options]

Proves that the tests can fail. Each patch in suites/mutants/ plants one known bug in the module or in the kernel
patches and names the ids of the spec whose tests must catch it. Each is built, and the tests that name one of its
ids run on it until one fails, and fails again: it is killed. The test that did so before comes first. When none does
it has survived, and the tests are blind to that bug. Tests that kill are run on the unchanged code too: one that
fails there as well proves nothing.
Without names all of them are tried, and a number of systematic changes of the module: an operator, a constant, a
dropped line, an error ignored. A survivor of those that nobody could tell from the code as it is is argued for in
suites/mutants/equivalent.yaml (where it does not exist, create it, with the top key equivalent:).

  --all            every test that can see the mutant runs on it, to see whether exactly the tests of its ids fail.
                   Which can is learnt first, once for the code and the tests as they are: all tests run on a kernel
                   and a module with a probe at each statement. Who does not reach a mutant's place cannot see it
  --systematic N   try so many systematic changes, by the seed (default 200, and 0 when names are given)
                   (one, or those of a line, function or file, by name: mutants systematic/image.c:120)
  --sample N       of all that are chosen only N, by the seed
  --times N        a test kills when it fails N times of N (default 2)
  --within S       seconds for the tests on one mutant (default 1200)
  --also cow       these suites, files or tests run too; may be given again
  --remember       write down which test killed each, in suites/mutants/killers.yaml: it is tried first the next time
  --list           list mutants with their ids; builds nothing
  --refresh        rewrite the patches that fit only roughly since the code has moved on, and say which need a hand
  --spec COW-03    only mutants that name this id, or one of a group (COW); the same as the id as a word
  --seed N         default 1
  --jobs N  --keep  --json  --line 6.12  --flavour fast  --module DIR   as for npm start

Exit codes: 0 all killed, 1 one survived, 2 wrong usage, 3 one does not apply or build, or the rig failed.
Results: results/latest/mutants.json and junit.xml (a case per mutant), mutants/NAME/junit.xml (the tests on it).`;
