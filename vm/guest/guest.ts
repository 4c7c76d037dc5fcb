/** A running guest, as tests see it. */
import { rm } from 'node:fs/promises';
import { diskDevice, diskNode } from '../boot/argv.js';
import { saveState } from '../boot/checkpoint.js';
import { flavourNeeds } from '../boot/flavour.js';
import type { Machine, MachineEnd } from '../boot/machine.js';
import type { FullDiskSpec } from '../boot/spec.js';
import type { ProgrammableDisk } from '../disk/programmable.js';
import { HarnessError } from '../errors.js';
import type { KernelBuild } from '../kernel/types.js';
import { errorText, formatArgv, within } from '../units.js';
import type { Call, Channel } from './channel.js';
import type { RunningCommand, RunOptions, StartOptions } from './command.js';
import { GuestClosedError, GuestExitError, GuestLostError, GuestPanicError, GuestTimeoutError } from './errors.js';
import { blockedTasks, guestAnswers } from './hang.js';
import type { KlogLine } from './klog.js';
import { runResult, type RunResult } from './result.js';

export interface GuestDisk {
  readonly spec: FullDiskSpec;
  /** Raw file on the host; may be read while the guest runs. */
  readonly hostPath: string;
  /** Block device in the guest. */
  readonly devPath: string;
}

export interface GuestParts {
  readonly kernel: KernelBuild;
  readonly machine: Machine;
  readonly channel: Channel;
  readonly disks: ReadonlyMap<string, GuestDisk>;
  readonly restoreMs: number;
  /** See Guest. */
  readonly bootLog?: readonly KlogLine[];
  /** Removed by close(). */
  readonly temporaryDirs: readonly string[];
}

const RUN_TIMEOUT_MS = 30_000;
const FREE_SPACE = 'Free some space in the folder for temporary files (TMPDIR) and run again.';
const UNPLUG_TIMEOUT_MS = 10_000;

export class Guest implements AsyncDisposable {
  readonly kernel: KernelBuild;
  readonly disks: ReadonlyMap<string, GuestDisk>;
  /** From the start of QEMU to the first answer. */
  readonly restoreMs: number;
  /** What the kernel said before the checkpoint that this guest was restored from; klog() begins there. */
  readonly bootLog: readonly KlogLine[];
  readonly #machine: Machine;
  readonly #channel: Channel;
  readonly #temporaryDirs: readonly string[];
  #closing: string | undefined;

  constructor(parts: GuestParts) {
    this.kernel = parts.kernel;
    this.disks = parts.disks;
    this.restoreMs = parts.restoreMs;
    this.bootLog = parts.bootLog ?? [];
    this.#machine = parts.machine;
    this.#channel = parts.channel;
    this.#temporaryDirs = parts.temporaryDirs;
    this.#watchHostDisk();
    void parts.machine.ended.then((end) => {
      this.#channel.fail(this.#closing ? new GuestClosedError(this.#closing) : endError(end, parts.machine));
    });
  }

  /** A full host disk stops the machine; without this it would look like a guest that hangs. */
  #watchHostDisk(): void {
    for (const disk of this.#machine.disks.values()) {
      disk.onBroken = (error) => {
        this.#channel.fail(new HarnessError(`disk ${disk.name} could not be served to this guest: ${errorText(error)}`, {
          code: 'EDISK', blame: 'rig', phase: 'guest call', cause: error,
          ...((error as NodeJS.ErrnoException).code === 'ENOSPC' ? { nextStep: FREE_SPACE } : {}),
        }));
        this.#machine.kill();
      };
    }
    this.#machine.qmp.onEvent(({ event, data }) => {
      if (event !== 'BLOCK_IO_ERROR' || data?.['nospace'] !== true) return;
      this.#channel.fail(new HarnessError(`the host has no space left for ${String(data['node-name'])} of this guest`, {
        code: 'ENOSPACE', blame: 'rig', phase: 'guest call',
        nextStep: FREE_SPACE,
      }));
      this.#machine.kill();
    });
  }

  /** By which every time limit of this guest is multiplied. */
  get slowdown(): number {
    return flavourNeeds(this.kernel.flavour).slowdown;
  }

  get consolePath(): string {
    return this.#machine.console.path;
  }

  /** Of QEMU, or of its wrapper; for tests of the rig. */
  get pid(): number | undefined {
    return this.#machine.pid;
  }

  /** Runs argv (no shell) and rejects when it ends with a non-zero status. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const result = await this.attempt(argv, options);
    if (result.exitCode !== 0) throw new GuestExitError(argv, result.exitCode, result.signal, result.stdout, result.stderr);
    return result;
  }

  /** As run(), but a non-zero status is an answer. */
  async attempt(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.start(argv, { ...options, stdin: options.stdin ?? new Uint8Array(0) }).result;
  }

  /** Runs argv in the background. With `stdin` given that is all it gets; without, use write() and end(). */
  start(argv: readonly string[], options: StartOptions = {}): RunningCommand {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const noStdin = options.stdin !== undefined && options.stdin.length === 0;
    const call = this.#channel.start(argv, {
      stdin: !noStdin, pty: options.pty ?? false, keepOutput: options.keepOutput ?? true,
    });
    if (!noStdin && options.stdin !== undefined) {
      call.write(options.stdin);
      call.end();
    }
    const result = this.#guard(call, argv, options)
      .then((raw) => runResult({ argv, ...raw, durationMs: performance.now() - started }));
    result.catch(() => undefined);
    return {
      result,
      kill: async (signo = 15) => {
        call.kill(signo);
        await result.then(() => undefined, () => undefined);
      },
      write: (data) => call.write(data),
      end: () => call.end(),
      onStdout: (listener) => call.onStdout(listener),
      onStderr: (listener) => call.onStderr(listener),
    };
  }

  /** Runs a shell script that stops at its first error. `args` become $1, $2, ... */
  sh(script: string, options: RunOptions & { readonly args?: readonly string[] } = {}): Promise<RunResult> {
    return this.run(['/bin/sh', '-e', '-c', script, 'sh', ...(options.args ?? [])], options);
  }

  async readFile(path: string): Promise<Buffer> {
    return (await this.run(['cat', path])).stdout;
  }

  async writeFile(path: string, data: Uint8Array | string): Promise<void> {
    await this.sh('cat > "$1"', { stdin: data, args: [path] });
  }

  /** All kernel lines since the restore, those printed before this call included. */
  async klog(options: { timeoutMs?: number } = {}): Promise<readonly KlogLine[]> {
    await this.#answer((options.timeoutMs ?? RUN_TIMEOUT_MS) * this.slowdown);
    return [...this.#channel.klog];
  }

  /** Kernel lines that have arrived so far; works on a dead guest too. */
  get klogSoFar(): readonly KlogLine[] {
    return [...this.#channel.klog];
  }

  disk(name: string): GuestDisk {
    const disk = this.disks.get(name);
    if (!disk) throw new RangeError(`no disk ${name}; this guest has ${[...this.disks.keys()].join(', ') || 'none'}`);
    return disk;
  }

  /** Where the requests of a disk come that was asked for as programmable. */
  programmable(name: string): ProgrammableDisk {
    const disk = this.#machine.disks.get(this.disk(name).spec.name);
    if (!disk) throw new RangeError(`disk ${name} is not programmable: see DiskSpec`);
    return disk;
  }

  /** Pulls a scsi disk out, as hardware does. Resolves when QEMU has let it go; the guest notices soon after. */
  async unplug(name: string): Promise<void> {
    if (this.disk(name).spec.bus !== 'scsi') throw new RangeError(`disk ${name} is not on scsi: only those can be unplugged`);
    const device = diskDevice(name);
    let forget: (() => void) | undefined;
    const deleted = new Promise<true>((resolve) => {
      forget = this.#machine.qmp.onEvent(({ event, data }) => {
        if (event === 'DEVICE_DELETED' && data?.['device'] === device) resolve(true);
      });
    });
    try {
      await this.#machine.qmp.execute('device_del', { id: device });
      if (!await within(deleted, UNPLUG_TIMEOUT_MS)) {
        throw new HarnessError(`QEMU did not let go of disk ${name} within ${UNPLUG_TIMEOUT_MS} ms`, {
          code: 'EUNPLUG', blame: 'rig', phase: 'qemu',
        });
      }
    } finally {
      forget?.();
    }
    await this.#machine.qmp.execute('blockdev-del', { 'node-name': diskNode(name) });
  }

  /** A command to QEMU itself; for faults that no method here offers yet. */
  monitor<T = unknown>(command: string, args?: Readonly<Record<string, unknown>>): Promise<T> {
    return this.#machine.qmp.execute<T>(command, args);
  }

  /** Writes the machine's state, which only a machine of the same kind can load. The guest is stopped afterwards. */
  async save(statePath: string): Promise<void> {
    // A restore must begin at a frame's border. The agent has nothing left to say after its answer but kernel lines, and
    // each of those crosses the port in one piece.
    await this.#answer(RUN_TIMEOUT_MS * this.slowdown);
    await saveState(this.#machine, statePath);
  }

  /** Kills QEMU: nothing is flushed, the disks keep what reached them. Host files stay until close(). */
  async cutPower(): Promise<void> {
    await this.#end('the power of this guest was cut');
  }

  /** Ends the guest and removes its files, except those in keepDir. */
  async close(): Promise<void> {
    await this.#end('this guest was closed');
    for (const dir of this.#temporaryDirs) await rm(dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What it is doing, for who has waited in vain: whether it answers, its commands, and what the kernel says is stuck. */
  async plight(): Promise<string> {
    const underWay = this.#channel.underWay.map((argv) => formatArgv(argv)).join(', ') || 'none';
    const answers = await guestAnswers(this.#channel);
    const stuck = await blockedTasks(this.#machine);
    return `it ${answers ? 'answers' : 'does not answer'}; commands under way: ${underWay}\n${stuck || this.tail()}`;
  }

  /** The last console lines. */
  tail(lines = 40): string {
    return this.#machine.console.tail(lines);
  }

  async #end(why: string): Promise<void> {
    this.#closing ??= why;
    this.#channel.fail(new GuestClosedError(this.#closing));
    this.#machine.kill();
    await this.#machine.ended;
  }

  async #answer(timeoutMs: number): Promise<void> {
    const ping = this.#channel.ping();
    ping.catch(() => undefined);
    if (await within(ping.then(() => true), timeoutMs)) return;
    throw await this.#timeoutError(['(answer)'], timeoutMs);
  }

  /** Adds deadline and abort to a call. */
  async #guard(call: Call, argv: readonly string[], options: RunOptions): Promise<Awaited<Call['result']>> {
    const timeoutMs = (options.timeoutMs ?? RUN_TIMEOUT_MS) * this.slowdown;
    const abort = (): void => {
      call.kill(9);
      this.#channel.forget(call, options.signal?.reason ?? new Error('aborted'));
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      const first = await within(call.result, timeoutMs);
      if (first) return first;
      const error = await this.#timeoutError(argv, timeoutMs);
      call.kill(9);
      this.#channel.forget(call, error);
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', abort);
    }
  }

  /** Asks the kernel what is stuck. A guest that answers nothing any more fails every other call as well. */
  async #timeoutError(argv: readonly string[], timeoutMs: number): Promise<unknown> {
    const answers = await guestAnswers(this.#channel);
    const blocked = await blockedTasks(this.#machine);
    // It may have panicked meanwhile, which says more than a deadline.
    if (this.#channel.failure) return this.#channel.failure;
    const error = new GuestTimeoutError(argv, timeoutMs, blocked, answers, this.tail(), this.consolePath);
    if (!answers) this.#channel.fail(error);
    return error;
  }
}

export function endError(end: MachineEnd, machine: Machine): HarnessError {
  if (end.kind === 'trouble') {
    return new GuestPanicError(end.trouble.kind, end.trouble.summary, end.trouble.excerpt, machine.console.path);
  }
  return new GuestLostError(end.how, machine.console.tail(), machine.console.path, end.wasGuest);
}
