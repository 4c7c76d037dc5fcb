/** Finds and ends every process that this run started, also those that have left our process group or lost their
 *  parent: each inherits a mark in its environment, and /proc tells who carries it. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const markName = 'BLKSNAP_SUITE_RUN';
const graceMs = 1500;

/** Marks this process's children from now on. A run inside a run carries both marks, so the outer one ends it too. */
export function markChildren(runId: string): void {
  process.env[markName] = [process.env[markName], runId].filter(Boolean).join(':');
}

/** An environment without marks, for a child that must finish its work whatever happens to us, such as dpkg. */
export function unmarked(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, [markName]: undefined };
}

/** Pids of living processes that carry the run's mark, without this one. */
export function ownProcesses(runId: string): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0 && pid !== process.pid && carries(pid, runId));
}

/** SIGTERM, a moment to tidy up, then SIGKILL. */
export async function endOwnProcesses(runId: string): Promise<void> {
  signalAll(ownProcesses(runId), 'SIGTERM');
  const deadlineMs = Date.now() + graceMs;
  while (ownProcesses(runId).length > 0 && Date.now() < deadlineMs) await sleep(50);
  // Again and again: one that is dying may just have started another.
  for (let round = 0; round < 20 && ownProcesses(runId).length > 0; round++) {
    signalAll(ownProcesses(runId), 'SIGKILL');
    await sleep(25);
  }
}

function carries(pid: number, runId: string): boolean {
  try {
    const mark = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').find((entry) => entry.startsWith(`${markName}=`));
    return mark?.slice(markName.length + 1).split(':').includes(runId) ?? false;
  } catch {
    return false; // gone meanwhile, or another user's
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}
