/** Runs host programs. The only file that imports execa.
 *
 *  Each program leads its own process group, so that a deadline ends its children too, and asks the kernel
 *  to be killed when this process dies (PDEATHSIG), so that even SIGKILL to us leaves nothing behind. */
import { createWriteStream, existsSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { execa } from 'execa';
import { CommandError, MissingToolError } from '../errors.js';
import { formatArgv } from '../units.js';
import { onProcessEnd } from './cleanup.js';

export interface ExecOptions {
  /** What this is part of, for messages. */
  readonly phase: string;
  readonly timeoutMs: number;
  readonly cwd?: string;
  /** Added to the inherited environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** stdout and stderr are also appended to this file. */
  readonly logPath?: string;
  /** Called with each line of stdout and stderr. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** For make: ends with SIGTERM, so that it removes half-written targets; SIGKILL only if that does not help. */
  readonly gentle?: boolean;
}

export interface ExecResult {
  readonly argv: readonly string[];
  /** -1 when a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams in the order in which they arrived. */
  readonly output: string;
  readonly durationMs: number;
}

const GRACE_MS = 5000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** We may have died before the request to die with us was made: then there is another parent by now. */
const STILL_OURS = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"';

/** What a shell says when the program is not installed. */
export const NOT_FOUND = /^sh: .*exec: .*not found/m;

/** Puts the request to die with us in front of an argv. Without util-linux's setpriv, cleanup callbacks must do. */
export function dieWithParent(argv: readonly string[], signal: 'KILL' | 'TERM' = 'KILL'): string[] {
  if (!SETPRIV) return [...argv];
  return [SETPRIV, '--pdeathsig', signal, '--', '/bin/sh', '-c', STILL_OURS, 'sh', String(process.pid), ...argv];
}

export function killGroup(pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (!pid) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone, which is what was wanted.
  }
}

/** Runs a program to its end; a non-zero status is an answer. Rejects when it cannot start or passes its deadline. */
export async function attempt(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const started = performance.now();
  options.signal?.throwIfAborted();
  const [file, ...args] = dieWithParent(argv, options.gentle ? 'TERM' : 'KILL');
  const child = execa(file as string, args, {
    detached: true,
    cleanup: false,
    reject: false,
    all: true,
    maxBuffer: OUTPUT_BYTES_MAX,
    stripFinalNewline: false,
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { LC_ALL: 'C', ...options.env },
  });
  const forget = onProcessEnd(() => killGroup(child.pid, options.gentle ? 'SIGTERM' : 'SIGKILL'));
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (options.gentle) killGroup(child.pid, 'SIGTERM');
    killTimer = setTimeout(() => killGroup(child.pid), options.gentle ? GRACE_MS : 0);
  };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.timeoutMs);
  options.signal?.addEventListener('abort', stop, { once: true });
  const log = options.logPath ? createWriteStream(options.logPath, { flags: 'a' }) : undefined;
  if (log) child.all.pipe(log);
  if (options.onLine) createInterface({ input: child.all.pipe(new PassThrough()) }).on('line', options.onLine);
  try {
    const result = await child;
    const failure = result as { code?: string; originalMessage?: string };
    if (log) await finished(log).catch(() => undefined);
    const output = String(result.all ?? '');
    if (timedOut) {
      const what = `${formatArgv(argv)} took longer than ${options.timeoutMs} ms`;
      throw new CommandError(what, argv, undefined, output, options.phase);
    }
    options.signal?.throwIfAborted();
    if (failure.code === 'ENOENT' || (SETPRIV && result.exitCode === 127 && NOT_FOUND.test(output))) {
      throw new MissingToolError(argv[0] as string, options.phase);
    }
    return {
      argv,
      exitCode: result.exitCode ?? -1,
      stdout: String(result.stdout),
      stderr: String(result.stderr),
      output,
      durationMs: performance.now() - started,
    };
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
    options.signal?.removeEventListener('abort', stop);
    forget();
  }
}

/** As attempt(), but a non-zero status rejects with CommandError. */
export async function exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const result = await attempt(argv, options);
  if (result.exitCode !== 0) {
    const lastLines = result.output.trimEnd().split('\n').slice(-20).join('\n');
    throw new CommandError(`${formatArgv(argv)} ended with status ${result.exitCode}\n${lastLines}`,
      argv, result.exitCode, result.output, options.phase);
  }
  return result;
}
