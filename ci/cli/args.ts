/** The command line of npm start and npm test, as values. Wrong usage throws UsageError. */
import { availableParallelism } from 'node:os';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { drivers, type DriverName } from '../../vm/index.js';
import type { Shard } from '../select/plan.js';
import { callersPath } from './callers-path.js';
import { ownCommands, plainCommands } from './commands.js';
import { UsageError } from './exit-codes.js';
import { didYouMean, nearest } from './nearest.js';

export interface CliOptions {
  /** Suites, files, `file > test name` or name patterns, empty means all; for spec ids or groups, for merge reports or their
   *  folders. */
  readonly selection: readonly string[];
  /** Ids of the spec: only tests that name one of them; empty means any. */
  readonly specIds: readonly string[];
  /** Suites, files or names of tests that do not run. */
  readonly exclude: readonly string[];
  readonly command: 'run' | 'list' | 'spec' | 'merge' | 'shell' | 'doctor' | 'help';
  /** For shell: the command to run, after --. */
  readonly words: readonly string[];
  /** For shell: sizes of the scratch disks; empty means the default ones. */
  readonly disks: readonly string[];
  /** How guests are run; undefined when not chosen: then suites take qemu, and shell takes vng. */
  readonly driver: DriverName | undefined;
  /** Drives every random choice; random when not given. */
  readonly seed: number;
  /** Times that the selection runs. */
  readonly repeat: number;
  /** Take tests along that take minutes, though nothing names them. */
  readonly long: boolean;
  /** Known bugs to try as well; undefined: as many as is usual for so many tests. */
  readonly canaries: number | undefined;
  /** Which part of the tests runs here; 1 of 1 is all. */
  readonly shard: Shard;
  /** Guests at the same time. */
  readonly jobs: number;
  /** Keep disks and consoles of failed tests. */
  readonly keep: boolean;
  /** Machine-readable results on stdout instead of text. */
  readonly json: boolean;
  readonly line: string;
  readonly flavour: string;
  /** Another module folder, an absolute path; undefined means the repository's own. */
  readonly moduleDir: string | undefined;
}

const options = {
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  spec: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  seed: { type: 'string' },
  repeat: { type: 'string' },
  long: { type: 'boolean' },
  canaries: { type: 'string' },
  shard: { type: 'string' },
  jobs: { type: 'string' },
  keep: { type: 'boolean' },
  json: { type: 'boolean' },
  line: { type: 'string' },
  flavour: { type: 'string' },
  module: { type: 'string' },
  driver: { type: 'string' },
  qemu: { type: 'boolean' },
  disk: { type: 'string', multiple: true },
} as const satisfies ParseArgsConfig['options'];

/** What these commands take; any other option would be passed over in silence. The rest take all but those of shell. */
const taken: Readonly<Record<string, readonly (keyof typeof options)[] | undefined>> = {
  doctor: ['json', 'line', 'flavour', 'module'],
  merge: ['json'],
  spec: ['json', 'spec', 'line', 'flavour', 'module', 'driver'],
  shell: ['line', 'flavour', 'module', 'driver', 'qemu', 'disk', 'json'],
};

const seedMax = 2 ** 32 - 1;
/** Parts of one run have one seed, or they cannot be merged. */
const shardsSeed = 1;
const repeatMax = 1000;
const canariesMax = 100;
const shardsMax = 1000;
const blankWord = 'a word cannot be blank: it is a suite, a file, "file > test name" or a part of a test\'s name; see --help';

/** Of npm start and npm test, and of its commands with a command line of their own. */
export const optionNames: readonly string[] = [
  ...Object.keys(options), 'also', 'minutes', 'refresh', 'remember', 'sample', 'sequence', 'steps', 'systematic', 'times', 'within'];

export function parseCli(given: readonly string[]): CliOptions {
  const argv = helpFirst(given);
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const isShell = parse(argv.slice(0, end)).positionals[0] === 'shell';
  const { values, positionals } = parse(isShell ? argv.slice(0, end) : argv);
  const own = ownCommands.find((one) => one === positionals[0]);
  if (own !== undefined) throw new UsageError(`put ${own} before all options: npm start -- ${own} ...`);
  const word = plainCommands.find((one) => one === positionals[0]);
  const rest = word === undefined ? positionals : positionals.slice(1);
  if (rest.some((one) => one.trim() === '')) throw new UsageError(blankWord);
  if (word === 'doctor' && rest.length > 0) throw new UsageError(`doctor takes no arguments, got "${rest[0]}"`);
  if (word === 'merge' && rest.length === 0) throw new UsageError('merge takes the reports of all shards, or folders that hold them');
  if (isShell && rest.length > 0) throw new UsageError(`put -- before the command: shell -- ${rest.join(' ')}`);
  if (!isShell && (values.qemu || values.disk)) throw new UsageError(`--${values.qemu ? 'qemu' : 'disk'} belongs to shell`);
  const foreign = Object.keys(values).find((name) => name !== 'help' && taken[word ?? '']?.includes(name as keyof typeof options) === false);
  if (foreign !== undefined) throw new UsageError(`${word} does not take --${foreign}; see --help`);
  const shard = shardOf(values.shard);
  const command = values.help ? 'help' : values.list && word === undefined ? 'list' : word ?? 'run';
  return {
    selection: rest,
    specIds: values.spec ?? [],
    exclude: values.exclude ?? [],
    words: isShell ? argv.slice(end + 1) : [],
    disks: values.disk ?? [],
    driver: values.qemu ? 'qemu' : driverOf(values.driver),
    command,
    seed: integer('seed', values.seed, 0, seedMax) ?? (shard.count > 1 ? shardsSeed : Math.floor(Math.random() * seedMax)),
    repeat: integer('repeat', values.repeat, 1, repeatMax) ?? 1,
    long: values.long ?? false,
    canaries: integer('canaries', values.canaries, 0, canariesMax),
    shard,
    // One more than there are CPUs, for guests wait now and then.
    jobs: integer('jobs', values.jobs, 1, 64) ?? availableParallelism() + 1,
    keep: values.keep ?? false,
    json: values.json ?? false,
    line: values.line ?? '6.12',
    flavour: values.flavour ?? 'fast',
    moduleDir: values.module === undefined ? undefined : callersPath(values.module),
  };
}

/** Who asks for help gets it, whatever else is wrong. What stands behind -- is not ours. */
export function helpFirst(argv: readonly string[]): readonly string[] {
  const ours = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  return ours.some((word) => word === '--help' || word === '-h') ? ['--help'] : argv;
}

function parse(argv: readonly string[]) {
  for (const word of argv) {
    if (word === '--') break;
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name === undefined || name in options) continue;
    const near = nearest(name, Object.keys(options)).map((one) => `--${one}`).join(' or ');
    throw new UsageError(`unknown option --${name}: ${near ? `did you mean ${near}?` : 'see --help'}`);
  }
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
  }
}

function driverOf(text: string | undefined): DriverName | undefined {
  if (text === undefined || Object.hasOwn(drivers, text)) return text as DriverName | undefined;
  throw new UsageError(`no driver "${text}": ${didYouMean(text, Object.keys(drivers))}`);
}

function shardOf(text: string | undefined): Shard {
  if (text === undefined) return { index: 1, count: 1 };
  const [, index, count] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  if (index && count && index <= count && count <= shardsMax) return { index, count };
  throw new UsageError(`--shard takes i/n with i from 1 to n, such as 2/3, got "${text}"`);
}

function integer(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, got "${text}"`);
}
