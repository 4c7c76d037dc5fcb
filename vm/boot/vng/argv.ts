/** From a machine's description to virtme-run's arguments, and from the QEMU command line that virtme-run prints to
 *  the one that we start; pure.
 *
 *  virtme-run only lays the machine out. We start QEMU ourselves, so that its console, monitor and control port are
 *  ours, a deadline and a signal end it, and no other program is left when it has ended. */
import { acceleratorArgv, disksArgv, kernelLineArgs, linesArgv, smp, type MachineArgs } from '../argv.js';
import type { FullMachineSpec } from '../spec.js';
import { HarnessError } from '../../errors.js';

export interface VirtmeChoices {
  readonly kernelImage: string;
  readonly spec: FullMachineSpec;
  /** Folders at the top of the host's root that the guest may write to, in its own memory. */
  readonly writable: readonly string[];
}

/** The kernel passes at most 32 variables to init, of which virtme-ng needs some itself. */
const OVERLAYS_MAX = 20;
/** Made by the kernel or by virtme-ng's init. */
const NOT_OVERLAID = ['dev', 'proc', 'run', 'sys', 'tmp', 'mnt', 'boot', 'lost+found'];

/** Which folders at the top of a root become writable, given its entries that are folders. */
export function writableFolders(names: readonly string[]): string[] {
  const fit = names.filter((name) => !NOT_OVERLAID.includes(name) && /^[\w.-]+$/.test(name));
  return fit.sort().slice(0, OVERLAYS_MAX).map((name) => `/${name}`);
}

/** Whether KVM works is for our probe to say, so virtme-ng is told not to look. 9p is served by QEMU itself, virtiofs by
 *  a program that would have to be there and would have to be ended. */
export function virtmeArgv({ kernelImage, spec, writable }: VirtmeChoices): string[] {
  return [
    '--kimg', kernelImage, '--mods', 'none', '--disable-kvm', '--force-9p', '--disable-microvm', '--no-virtme-ng-init',
    '--disable-monitor',
    '--name', 'guest', '--memory', `${spec.memoryMiB}M`, '--cpus', smp(spec.cpus),
    ...writable.flatMap((folder) => ['--overlay-rwdir', folder]),
    '--dry-run', '--show-command',
  ];
}

/** Options of virtme-run's line that we set otherwise: the lines to QEMU, and what belongs to them. */
const REPLACED = ['-chardev', '-serial', '-mon', '-echr', '-append', '-accel', '-cpu'];
/** What it says to the kernel about consoles and verbosity. */
const KERNEL_REPLACED = /^(?:console=|virtme_console=|virtme_stty_con=|quiet$|loglevel=|debug$|panic=|TERM=|psmouse\.)/;

/** QEMU's command line, from virtme-run's. Throws HarnessError when that is not one we understand. */
export function vngArgv(line: readonly string[], hookPath: string, args: MachineArgs): string[] {
  const append = line.includes('-append') ? line[line.indexOf('-append') + 1] : undefined;
  if (!line[0] || !line.includes('-kernel') || append === undefined || !/(?:^| )init=\S*virtme-init/.test(append)) {
    throw new HarnessError(`virtme-run laid out a machine that we do not understand: ${line.join(' ')}`, {
      code: 'EVIRTME', blame: 'rig', phase: 'virtme-ng', nextStep: 'virtme-ng 1.35 is known to work.',
    });
  }
  const kept: string[] = [];
  for (let at = 0; at < line.length; at++) {
    const word = line[at] as string;
    if (REPLACED.includes(word)) at += 1;
    else if (word === '-device' && line[at + 1]?.includes('chardev=')) at += 1;
    else kept.push(word);
  }
  return [
    ...kept, '-no-user-config', '-nodefaults', '-no-reboot', ...acceleratorArgv(args.accelerator),
    '-append', kernelLine(append, hookPath, args), ...linesArgv(args.paths), ...disksArgv(args),
  ];
}

/** init= clears what stands before it, so what we add comes first. The guest keeps what it has read of the root, which
 *  halves the time of a boot; a file that changes on the host meanwhile may be seen as it was. */
function kernelLine(append: string, hookPath: string, args: MachineArgs): string {
  const theirs = append.split(/ (?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .filter((word) => !KERNEL_REPLACED.test(word))
    .map((word) => (word.startsWith('rootflags=') ? `${word},cache=loose` : word));
  return [...kernelLineArgs(args), 'virtme_console=ttyS0', `BASH_ENV="${hookPath}"`, ...theirs].join(' ');
}

/** Words of a line that Python's shlex.join() made. Throws RangeError for an open quote. */
export function splitShellWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:[^\s'"\\]+|'[^']*'|"'")+)/y;
  const text = line.trim();
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) throw new RangeError(`not a line of shell words at ${JSON.stringify(text.slice(at, at + 40))}`);
    const word = match[1] as string;
    words.push(word.replaceAll(/'([^']*)'|"(')"/g, (_, plain?: string, single?: string) => plain ?? single ?? ''));
  }
  return words;
}
