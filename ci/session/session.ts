/** One run's surroundings: its id and its temporary folder, and their end, whatever ends the run. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../../vm/index.js';
import { exitCodes } from '../cli/exit-codes.js';
import { endOwnProcesses, markChildren } from './own-processes.js';

const runDirPrefix = 'blksnap-suite-';
const repeatedSignalMs = 1000;

export interface Session {
  readonly runId: string;
  /** Sockets, disks, anything temporary; removed at the end. */
  readonly runDir: string;
  /** Called once on a signal, before processes are ended: write down what is known. */
  onInterrupt: (signal: NodeJS.Signals) => void;
  /** Ends own processes and removes the temporary folder. */
  close(): Promise<void>;
}

let endEarly: (signal: NodeJS.Signals) => Promise<void> = () => Promise.resolve();

/** For what nobody has caught: as a signal does, writes down what is known, and leaves nothing behind. */
export function endOpenSession(): Promise<void> {
  return endEarly('SIGTERM');
}

export function openSession(): Session {
  sweepAbandoned();
  const runDir = mkdtempSync(join(tmpdir(), `${runDirPrefix}${process.pid}-`));
  const runId = runDir.slice(runDir.lastIndexOf(runDirPrefix));
  markChildren(runId);
  // Whatever a child leaves behind in the temporary folder then goes with ours.
  process.env['TMPDIR'] = runDir;
  const removeRunDir = () => rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  const session: Session = {
    runId,
    runDir,
    onInterrupt: () => undefined,
    // Once a signal has come, the end is its handler's: whoever waits here then has nothing more to say.
    close: () => (isInterrupted ? new Promise(() => undefined) : end()),
  };
  let isInterrupted = false;
  const end = async (): Promise<void> => {
    await endOwnProcesses(runId);
    removeRunDir();
  };
  // Once more at the very end: until then vitest may still write what its workers had asked for.
  process.on('exit', removeRunDir);
  endEarly = (signal) => {
    isInterrupted = true;
    session.onInterrupt(signal);
    return end();
  };
  exitOnSignals(endEarly);
  return session;
}

/** Ctrl-C reaches us from the terminal and once more through npm, so repeats within a second are the same request. */
function exitOnSignals(end: (signal: NodeJS.Signals) => Promise<void>): void {
  let firstMs: number | undefined;
  const codes = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;
  for (const [signal, code] of Object.entries(codes) as [keyof typeof codes, number][]) {
    process.on(signal, () => {
      if (firstMs !== undefined) {
        if (Date.now() - firstMs > repeatedSignalMs) process.exit(code);
        return;
      }
      firstMs = Date.now();
      process.stderr.write(`\ninterrupted (${signal}): ending guests and builds\n`);
      void end(signal).finally(() => process.exit(code));
    });
  }
}

/** Folders of runs whose process is gone (SIGKILL, power). */
function sweepAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(new RegExp(`^${runDirPrefix}(\\d+)-`).exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) removeOwn(join(tmpdir(), name));
  }
}

/** What another user has left is theirs to remove. */
function removeOwn(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.()) rmSync(path, { recursive: true, force: true });
}
