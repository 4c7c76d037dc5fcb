/** Long-lived host programs (QEMU, lock holders): started once, watched, killed as a group. */
import { spawn, type ChildProcess } from 'node:child_process';
import { onProcessEnd } from './cleanup.js';
import { dieWithParent, killGroup } from './exec.js';

export interface DaemonEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when the program could not be started at all. */
  readonly error?: Error;
  /** The end of what it wrote to stderr. */
  readonly stderr: string;
}

export interface Daemon {
  readonly pid: number | undefined;
  readonly process: ChildProcess;
  /** Resolves, never rejects, once it has ended. */
  readonly ended: Promise<DaemonEnd>;
  /** Kills the group at once. */
  kill(): void;
}

const STDERR_CHARS_MAX = 16_384;

/** Starts a program. `fds` are passed on as its descriptors 3, 4, ... */
export function startDaemon(
  argv: readonly string[], options: { cwd?: string; fds?: readonly number[]; stdio?: 'pipe' | 'ignore' } = {},
): Daemon {
  const [file, ...args] = dieWithParent(argv);
  const stdio = options.stdio ?? 'ignore';
  const child = spawn(file as string, args, {
    detached: true,
    stdio: [stdio, stdio, 'pipe', ...(options.fds ?? [])],
    ...(options.cwd ? { cwd: options.cwd } : {}),
  });
  let stderr = '';
  child.stderr?.on('data', (data: Buffer) => {
    stderr = (stderr + data.toString('utf8')).slice(-STDERR_CHARS_MAX);
  });
  const forget = onProcessEnd(() => killGroup(child.pid));
  const ended = new Promise<DaemonEnd>((resolve) => {
    child.on('error', (error) => {
      forget();
      resolve({ exitCode: null, signal: null, error, stderr });
    });
    child.on('close', (exitCode, signal) => {
      forget();
      resolve({ exitCode, signal, stderr });
    });
  });
  return { pid: child.pid, process: child, ended, kill: () => killGroup(child.pid) };
}
