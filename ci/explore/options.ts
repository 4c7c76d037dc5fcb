/** The command line of npm start -- explore: its own options, and those of npm start that make sense here. */
import { helpFirst, parseCli, type CliOptions } from '../cli/args.js';
import { UsageError } from '../cli/exit-codes.js';

export interface ExploreOptions extends CliOptions {
  readonly minutes: number;
  /** Of one sequence. */
  readonly steps: number;
  /** Play this one alone. */
  readonly sequence: number | undefined;
}

const own = { '--minutes': { max: 10_000, usual: 10 }, '--steps': { max: 1000, usual: 80 }, '--sequence': { max: 2 ** 32 - 1, usual: undefined } } as const;

/** Words behind `explore`. Throws UsageError. */
export function parseExploreCli(given: readonly string[]): ExploreOptions {
  const argv = helpFirst(given);
  const values = new Map<string, number>();
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const [name = '', inline] = (argv[index] ?? '').split(/=(.*)/s);
    if (name in own) values.set(name, wholeNumber(name as keyof typeof own, inline ?? argv[++index]));
    else rest.push(argv[index] ?? '');
  }
  const [, foreign] = rest.map((word) => /^--(repeat|shard|spec|exclude|long|canaries|list)\b/.exec(word)).find(Boolean) ?? [];
  if (foreign !== undefined) throw new UsageError(`explore runs as a whole and once, and has no tests to choose from: no --${foreign}`);
  const options = parseCli(rest);
  if (!['run', 'help'].includes(options.command) || options.selection.length > 0) {
    throw new UsageError(`explore takes options alone, got "${options.selection[0] ?? options.command}"`);
  }
  if (options.driver !== undefined && options.driver !== 'qemu') throw new UsageError('explore restores its guests: --driver qemu alone');
  return {
    ...options, minutes: values.get('--minutes') ?? own['--minutes'].usual, steps: values.get('--steps') ?? own['--steps'].usual,
    sequence: values.get('--sequence'),
  };
}

function wholeNumber(name: keyof typeof own, text: string | undefined): number {
  const value = Number(text);
  const min = name === '--sequence' ? 0 : 1;
  if (text !== undefined && /^\d+$/.test(text) && value >= min && value <= own[name].max) return value;
  throw new UsageError(`${name} takes a whole number from ${min} to ${own[name].max}, got "${text ?? ''}"`);
}

export const exploreHelp = `npm start -- explore [options]

Looks for sequences of steps that no one wrote down: writes of all kinds, snapshots over several devices, images read and
written, maps, marks by hand, storage that grows and overflows, a device that goes, comes back and changes its size, the
module reloaded. A model says after each step what must be true. A sequence that fails is repeated on a restored guest
and shrunk to the few steps that matter, each attempt on a restored guest; it is printed as a script, and saved as a test.
Copied into suites/explorer/found/ (create it) that test is part of the suite: npm start -- explorer.

  --minutes N      how long to look (default 10); the first that fails ends the looking, and is shrunk, which may take
                   as long again. What does not fail again on a guest of its own is told with what ran before it
  --seed N         the same sequences as an earlier run with as many --jobs
  --steps N        steps of a sequence (default 80)
  --sequence N     this sequence alone, as a failure names it
  --jobs N         guests side by side, each with sequences of its own (default: CPUs and one more)
  --keep  --json  --line 6.12  --flavour fast  --module DIR   as for npm start

Exit codes: 0 nothing found, 1 a sequence failed, 2 wrong usage, 3 the rig failed.
Results: results/latest/explore.json, explorer/*.test.ts and junit.xml.`;
