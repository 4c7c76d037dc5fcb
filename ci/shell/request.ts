/** What a shell call asks for: pure, from words and from what our own streams are. */
import { UsageError } from '../cli/exit-codes.js';

export interface Surroundings {
  /** Whether stdin and stdout are terminals. */
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Program of the prompt. */
  readonly shell: string;
  /** Folder to start in; undefined for the guest's own. */
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

export interface ShellRequest {
  readonly argv: readonly string[];
  /** Runs on a terminal of its own, and ours is put into raw mode. */
  readonly pty: boolean;
}

/** Goes to the folder if the guest has it, and becomes the command. */
const ENTER = 'cd "$1" 2> /dev/null || cd /; shift; exec "$@"';

/** No command: a prompt on a terminal, else what comes on stdin is a script. One word is shell text, as for ssh. */
export function shellRequest(command: readonly string[], { stdin, stdout, shell, cwd, env }: Surroundings): ShellRequest {
  const pty = stdin && stdout;
  const words = command.length === 0 ? [shell, ...(pty ? ['-i'] : [])] : command.length === 1 ? ['/bin/sh', '-c', command[0] as string] : command;
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return { argv: ['/bin/sh', '-c', ENTER, 'sh', cwd ?? '/tmp', 'env', ...variables, ...words], pty };
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of a size such as 64M or 2G. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d{1,6})([KMGT])i?B?$/i.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit?.toUpperCase() ?? ''] ?? 0);
  if (bytes >= 2 ** 20 && bytes <= 16 * 2 ** 40) return bytes;
  throw new UsageError(`--disk takes a size from 1M to 16T, such as 64M or 2G, got "${text}"`);
}
