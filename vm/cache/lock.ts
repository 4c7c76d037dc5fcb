/** Locks between runs. A flock(1) child holds the lock and ends when its pipe from us closes, so a run that
 *  is killed in any way leaves no stale lock. */
import { join } from 'node:path';
import { HarnessError, MissingToolError } from '../errors.js';
import { NOT_FOUND } from '../proc/exec.js';
import { startDaemon } from '../proc/daemon.js';
import { within, type Progress } from '../units.js';
import { cacheRoom } from './folder.js';

export interface LockOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

const NOTICE_AFTER_MS = 1500;

/** Runs `work` while holding the named lock; waits as long as another run holds it, and says so. */
export async function withLock<T>(name: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const path = join(await cacheRoom('locks'), `${name}.lock`);
  const holder = startDaemon(['flock', '--no-fork', path, '/bin/sh', '-c', 'echo held; exec cat'], { stdio: 'pipe' });
  const abort = (): void => holder.kill();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const held = new Promise<'held'>((resolve) => {
      holder.process.stdout?.once('data', () => resolve('held'));
    });
    const outcome = Promise.race([held, holder.ended]);
    let first = await within(outcome, NOTICE_AFTER_MS);
    if (!first) {
      options.progress?.({ what: `waiting for another run (${name})` });
      first = await outcome;
    }
    options.signal?.throwIfAborted();
    if (first !== 'held') {
      if (first.error || NOT_FOUND.test(first.stderr)) throw new MissingToolError('flock', 'lock');
      throw new HarnessError(`cannot lock ${path}: ${first.stderr.trim() || `flock ended (${first.exitCode ?? first.signal})`}`, {
        code: 'ELOCK', blame: 'rig', phase: 'lock', nextStep: 'Check that the cache folder is writable and has space.',
      });
    }
    return await work();
  } finally {
    options.signal?.removeEventListener('abort', abort);
    holder.process.stdin?.destroy();
    holder.kill();
  }
}
