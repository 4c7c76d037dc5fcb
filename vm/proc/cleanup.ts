/** What must not outlive this process: programs, sockets, temporary files.
 *
 *  Three nets, each for what the one before cannot catch: the owner's own close(); callbacks run at exit
 *  and on SIGINT, SIGTERM, SIGHUP; and, for a process that is killed outright, PDEATHSIG on its programs
 *  (see exec.ts) and a janitor that removes the run folder once the pipe from us closes. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const pending = new Set<() => void>();
let installed = false;
let folder: string | undefined;
let counter = 0;

/** Unix socket paths end at 107 bytes; a longer temporary folder than this leaves no room for names. */
const TMP_CHARS_MAX = 50;

function runAll(): void {
  for (const callback of [...pending].reverse()) {
    pending.delete(callback);
    try {
      callback();
    } catch {
      // The others must still run, and there is nobody left to tell.
    }
  }
}

function install(): void {
  if (installed) return;
  installed = true;
  process.on('exit', runAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const handler = (): void => {
      runAll();
      process.removeListener(signal, handler);
      // Another listener (vitest's, ci's) decides about the process; alone, we die of the signal as usual.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    process.on(signal, handler);
  }
}

/** Registers a synchronous callback for the end of this process; returns its cancellation. */
export function onProcessEnd(callback: () => void): () => void {
  install();
  pending.add(callback);
  return () => pending.delete(callback);
}

/** The one temporary folder of this process; gone when the process is gone, whatever ended it. */
export function runFolder(): string {
  if (folder) return folder;
  const base = tmpdir().length > TMP_CHARS_MAX ? '/tmp' : tmpdir();
  const path = mkdtempSync(join(base, 'blksnap-suite-'));
  folder = path;
  onProcessEnd(() => rmSync(path, { recursive: true, force: true }));
  const janitor = spawn('/bin/sh', ['-c', 'cat; rm -rf -- "$1"', 'blksnap-janitor', path], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  janitor.on('error', () => undefined);
  janitor.unref();
  (janitor.stdin as unknown as { unref(): void }).unref();
  return path;
}

/** A fresh folder inside the run folder. */
export function temporaryFolder(prefix: string): string {
  counter += 1;
  const path = join(runFolder(), `${prefix}${counter}`);
  mkdirSync(path);
  return path;
}
