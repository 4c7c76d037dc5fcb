/** Installs what the host lacks where that is allowed (root, or sudo without a password, on Debian and its kin);
 *  elsewhere prints the one command to type. Plans are pure; only `installMissing` touches the machine. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RigError } from '../cli/exit-codes.js';
import type { Progress } from '../session/progress.js';
import { unmarked } from '../session/own-processes.js';
import { installCommands, missingNeeds, type Manager, type Need } from './needs.js';

/** Another apt may hold the package database: wait for it this long. */
const aptLockSeconds = 600;
const aptRetryMs = 5000;
const keptLines = 8;

export function packagesFor(needs: readonly Need[], manager: Manager): string[] {
  return [...new Set(needs.flatMap((need) => need[manager] ?? []))].sort();
}

/** The one command to type; apt's lists may be old or absent on a bare machine, so it refreshes them first. */
export function commandToType(needs: readonly Need[], manager: Manager, isRoot: boolean): string {
  const sudo = isRoot ? '' : 'sudo ';
  const install = `${sudo}${installCommands[manager]} ${packagesFor(needs, manager).join(' ')}`;
  return manager === 'apt' ? `${sudo}apt-get update && ${install}` : install;
}

export function findManager(): Manager | undefined {
  const programs: Record<Manager, string> = { apt: '/usr/bin/apt-get', dnf: '/usr/bin/dnf', pacman: '/usr/bin/pacman' };
  return (Object.keys(programs) as Manager[]).find((manager) => existsSync(programs[manager]));
}

export async function installMissing(progress: Progress): Promise<void> {
  const missing = missingNeeds();
  const required = missing.filter(({ optional }) => !optional);
  if (required.length === 0) return;
  const manager = findManager();
  const names = required.map(({ name }) => name).join(', ');
  if (manager === undefined) throw new RigError(`missing: ${names}. No apt, dnf or pacman here: install them by hand.`);
  const isRoot = process.getuid?.() === 0;
  const sudo = isRoot ? [] : ['sudo', '-n'];
  if (manager !== 'apt' || !(isRoot || canSudo())) {
    throw new RigError(`missing: ${names}. Type this, then run again:\n  ${commandToType(required, manager, isRoot)}`);
  }
  await installWithApt(missing, sudo, progress);
  const still = missingNeeds().filter(({ optional }) => !optional);
  if (still.length === 0) return;
  throw new RigError(`still missing after installing: ${still.map(({ name }) => name).join(', ')}. See npm start -- doctor`);
}

async function installWithApt(missing: readonly Need[], sudo: readonly string[], progress: Progress): Promise<void> {
  const apt = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8', 'apt-get', '-q',
    '-o', `DPkg::Lock::Timeout=${aptLockSeconds}`, '-o', 'Dpkg::Use-Pty=0'];
  const packages = packagesFor(missing, 'apt');
  await aptStep(`package lists`, [...apt, 'update'], progress);
  await aptStep(`${packages.length} Debian packages`, [...apt, 'install', '-y', '--no-install-recommends', ...packages], progress);
}

/** apt waits for dpkg's lock by itself, but not for that of the package lists, so a held lock is tried again here. */
async function aptStep(name: string, argv: readonly string[], progress: Progress): Promise<void> {
  const step = progress.step(name);
  const deadlineMs = Date.now() + aptLockSeconds * 1000;
  for (;;) {
    const { exitCode, tail } = await runApt(argv, (line) => step.update(line));
    if (exitCode === 0) return step.done();
    const isLocked = tail.some((line) => /Could not get lock|Unable to (acquire|lock)/.test(line));
    if (!isLocked || Date.now() > deadlineMs) {
      step.fail(`apt-get ended with ${exitCode}`);
      throw new RigError(`apt-get failed:\n${tail.map((line) => `  ${line}`).join('\n')}\nNext step: ${argv.join(' ')}`);
    }
    step.update('waiting for another apt to end');
    await sleep(aptRetryMs);
  }
}

function runApt(argv: readonly string[], onLine: (line: string) => void): Promise<{ exitCode: number | null; tail: string[] }> {
  const tail: string[] = [];
  return new Promise((resolve, reject) => {
    const [command = '', ...args] = argv;
    // Our own interrupt must not cut dpkg off half-way; the terminal's reaches apt, which knows what to do.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: unmarked(process.env) });
    const read = (chunk: Buffer) => {
      for (const line of chunk.toString('utf8').split(/[\r\n]+/).filter(Boolean)) {
        tail.push(line);
        if (tail.length > keptLines) tail.shift();
        onLine(line);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', (error) => reject(new RigError(`cannot start ${command}: ${error.message}`)));
    child.on('close', (exitCode) => resolve({ exitCode, tail }));
  });
}

function canSudo(): boolean {
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
}
