/** npm start -- shell: a guest with the module loaded, and a prompt, a command or a script in it. stdout is the command's
 *  alone; what we have to say goes to stderr. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buildModule, ensureKernel, openGuest, type DiskSpec, type DriverName, type Guest, type KernelBuild, type KernelLine } from '../../vm/index.js';
import { moduleFolder } from '../build/prepare.js';
import type { Tell } from '../build/stage.js';
import type { CliOptions } from '../cli/args.js';
import { callersFolder } from '../cli/callers-path.js';
import { exitCodes } from '../cli/exit-codes.js';
import { installMissing } from '../host/install.js';
import { firstLine } from '../report/text.js';
import { Progress } from '../session/progress.js';
import { parseSize, shellRequest, type Surroundings } from './request.js';
import { runOnStreams } from './terminal.js';

const MODULE_IN_GUEST = '/run/blksnap.ko';
const DEFAULT_DISKS = ['1G', '1G'];
const MEMORY_MIB = 1024;

export async function shell(root: string, line: KernelLine, options: CliOptions): Promise<number> {
  const disks = (options.disks.length === 0 ? DEFAULT_DISKS : options.disks).map((size, index): DiskSpec => (
    { name: `disk${index + 1}`, sizeBytes: parseSize(size) }));
  const progress = new Progress(process.stderr);
  await installMissing(progress);
  const kernel = await step(progress, `kernel ${line.name} ${options.flavour}`, (tell) => ensureKernel(line, options.flavour, { progress: tell }));
  const module = await step(progress, 'module', (tell) => buildModule(kernel, moduleFolder(root, options), { progress: tell }));
  const driver: DriverName = options.driver ?? 'vng';
  const guest = await step(progress, driver === 'vng' ? 'guest on your root file system' : 'guest on the small root', (tell) => (
    openGuest(driver, kernel, { disks, memoryMiB: MEMORY_MIB }, { progress: tell })));
  try {
    await guest.writeFile(MODULE_IN_GUEST, await readFile(module.koPath));
    await guest.run(['insmod', MODULE_IN_GUEST]);
    const request = shellRequest(options.words, surroundings(driver));
    progress.say(welcome(guest, kernel, driver, request.pty));
    return await runOnStreams(guest, request) ?? exitCodes.interrupted;
  } finally {
    await guest.close();
  }
}

async function step<T>(progress: Progress, name: string, work: (tell: Tell) => Promise<T>): Promise<T> {
  const shown = progress.step(name);
  try {
    const result = await work(({ what, done, total }) => shown.update(total ? `${what}  ${done ?? 0}/${total}` : what, total ? (done ?? 0) / total : undefined));
    shown.done();
    return result;
  } catch (error) {
    shown.fail(firstLine(error instanceof Error ? error.message : String(error)));
    throw error;
  }
}

/** On the user's own root, a command finds what it finds outside: programs, home, folder. */
function surroundings(driver: DriverName): Surroundings {
  const streams = { stdin: process.stdin.isTTY, stdout: process.stdout.isTTY };
  const terminal = process.env['TERM'] ?? 'dumb';
  if (driver === 'qemu') return { ...streams, shell: '/bin/sh', cwd: undefined, env: { TERM: terminal, PS1: 'guest# ' } };
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '' && !folder.includes('node_modules'));
  const path = [...folders, '/run/tools', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin', '/run/fallback'];
  const wanted = process.env['SHELL'] ?? '';
  return {
    ...streams,
    shell: streams.stdin && wanted.startsWith('/') && existsSync(wanted) ? wanted : '/bin/bash',
    cwd: callersFolder(),
    env: { TERM: terminal, PATH: [...new Set(path)].join(':'), HOME: process.env['HOME'] ?? '/root', ...(process.env['LANG'] ? { LANG: process.env['LANG'] } : {}) },
  };
}

function welcome(guest: Guest, kernel: KernelBuild, driver: DriverName, isPrompt: boolean): string {
  const disks = [...guest.disks.values()].map(({ devPath, spec }) => `${devPath} (${spec.sizeBytes / 2 ** 20} MiB)`).join(', ');
  const lines = [`kernel ${kernel.release} with blksnap; scratch disks ${disks}; blksnapctl and blkio are in PATH`];
  if (isPrompt) {
    lines.push(driver === 'vng' ? 'Your files are here; what you change in them is gone with the guest.' : 'A small root, read-only; /tmp, /mnt and /run can be written.');
    lines.push('exit or Ctrl-D ends the guest; Ctrl-] ends one that no longer reacts.');
  }
  return lines.join('\n');
}
