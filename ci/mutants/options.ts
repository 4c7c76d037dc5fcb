/** The command line of npm start -- mutants: its own options, and those of npm start that make sense here. */
import { parseCli, type CliOptions } from '../cli/args.js';
import { UsageError } from '../cli/exit-codes.js';

export interface MutantsOptions extends CliOptions {
  /** Run every test there is on each mutant. */
  readonly all: boolean;
  /** Suites, files or names of tests to run besides those of the ids. */
  readonly also: readonly string[];
  /** Rewrite patches that no longer fit to the letter. */
  readonly refresh: boolean;
}

/** Words behind `mutants`. Throws UsageError. */
export function parseMutantsCli(argv: readonly string[]): MutantsOptions {
  const also: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--also') also.push(valueOf(word, argv[++index]));
    else if (word.startsWith('--also=')) also.push(valueOf('--also', word.slice('--also='.length)));
    else if (word !== '--all' && word !== '--refresh') rest.push(word);
  }
  // One seed unless another is asked for, so that what is known of which test sees what holds.
  const options = parseCli(['--seed', '1', ...rest]);
  if (!['run', 'list', 'help'].includes(options.command)) throw new UsageError(`mutants takes names of mutants, got "${options.command}"`);
  if (options.repeat !== 1 || options.shard.count !== 1) throw new UsageError('mutants runs as a whole and once: no --repeat, no --shard');
  return { ...options, all: argv.includes('--all'), refresh: argv.includes('--refresh'), also };
}

function valueOf(name: string, value: string | undefined): string {
  if (value === undefined || value === '' || value.startsWith('-')) throw new UsageError(`${name} takes a suite, a file or a part of a test's name`);
  return value;
}

export const mutantsHelp = `npm start -- mutants [name | kind | spec id ...] [options]

Proves that the tests can fail. Each patch in suites/mutants/ plants one known bug in the module or in the kernel
patches and names the ids of the spec whose tests must catch it. Each is built, and the tests that name one of its
ids run on it until one fails: it is killed. When none fails it has survived, and the tests are blind to that bug.
Tests that kill are run on the unchanged code too: one that fails there as well proves nothing.

  --all            every test that can see the mutant runs on it, to see whether exactly the tests of its ids fail.
                   Which can is learnt first, once for the code and the tests as they are: all tests run on a kernel
                   and a module with a probe at each statement. Who does not reach a mutant's place cannot see it
  --also cow       these suites, files or tests run too; may be given again
  --list           list mutants with their ids; builds nothing
  --refresh        rewrite the patches that fit only roughly since the code has moved on, and say which need a hand
  --spec COW-03    only mutants that name this id; the same as the id as a word
  --seed N         default 1
  --jobs N  --keep  --json  --line 6.12  --flavour fast  --module DIR   as for npm start

Exit codes: 0 all killed, 1 one survived, 2 wrong usage, 3 one does not apply or build, or the rig failed.
Results: results/latest/mutants.json and junit.xml (a case per mutant), mutants/NAME/junit.xml (the tests on it).`;
