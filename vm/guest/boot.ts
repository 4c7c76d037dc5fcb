/** From a kernel and a machine description to a running guest: restored from the checkpoint, made first if missing. */
import { cp, mkdir, open, rm, stat } from 'node:fs/promises';
import { clockLineArgs } from '../boot/clock/line.js';
import { detectAccelerator } from '../boot/probe.js';
import {
  dropCheckpoint, ensureCheckpoint, ensureStagedCheckpoint, makeDisks, toldDirOf,
  type Checkpoint, type CheckpointOptions, type MachineKind,
} from '../boot/checkpoint.js';
import { flavourNeeds } from '../boot/flavour.js';
import { diskPath, Machine } from '../boot/machine.js';
import { completeSpec, type MachineSpec } from '../boot/spec.js';
import { HarnessError } from '../errors.js';
import type { KernelBuild } from '../kernel/types.js';
import { temporaryFolder } from '../proc/cleanup.js';
import { ensureRoot } from '../root/root.js';
import { sleep, within } from '../units.js';
import { Channel } from './channel.js';
import { GuestLostError } from './errors.js';
import { endError, Guest, type GuestDisk } from './guest.js';
import { prepareGuest } from './prepare.js';

/** What is done once to a guest before a checkpoint of its own is taken. */
export interface Stage {
  /** Names all that `prepare` depends on: another key, another checkpoint. */
  readonly key: string;
  /** Must leave the disks as they are, for each restore has fresh ones. Kernel lines printed here are not seen again. */
  readonly prepare: (guest: Guest) => Promise<void>;
}

export interface BootOptions extends CheckpointOptions {
  /** Console and disk files go here and stay after close(). Default: a temporary folder, removed by close(). */
  readonly keepDir?: string;
  /** What probes in the guest's kernel tell is kept here, what they told before its checkpoint included: a file for each
   *  guest and CPU. Nothing of it is kept by the driver vng. */
  readonly toldDir?: string;
  /** Fills a disk file before the guest sees it; the size must not change. The guest does not re-read
   *  partition tables by itself: it believes the disks empty until told (blockdev --rereadpt). */
  readonly prepareDisk?: (name: string, hostPath: string) => Promise<void>;
  /** Restores the guest as it was after this. */
  readonly stage?: Stage;
}

const RESTORE_TIMEOUT_MS = 30_000;

/** The machine kind that bootGuest() would use: accelerator chosen, root built. */
export async function machineKind(kernel: KernelBuild, spec: MachineSpec, options: CheckpointOptions = {}): Promise<MachineKind> {
  const full = completeSpec(spec, kernel.flavour);
  const root = await ensureRoot(kernel, options);
  const { name: accelerator } = await detectAccelerator(kernel, root, options);
  return { kernel, root, spec: full, accelerator, clock: await clockLineArgs(kernel, accelerator, options) };
}

export async function bootGuest(kernel: KernelBuild, spec: MachineSpec, options: BootOptions = {}): Promise<Guest> {
  const kind = await machineKind(kernel, spec, options);
  const boot = async (): Promise<Guest> => restoreOrDrop(kind, await stagedCheckpoint(kind, options), options);
  try {
    return await boot();
  } catch (error) {
    // State that QEMU cannot load is made anew, once.
    if (!isUnloadable(error)) throw error;
    return boot();
  }
}

async function restoreOrDrop(kind: MachineKind, checkpoint: Checkpoint, options: BootOptions): Promise<Guest> {
  try {
    return await restore(kind, checkpoint, options);
  } catch (error) {
    if (isUnloadable(error)) await dropCheckpoint(checkpoint);
    throw error;
  }
}

function isUnloadable(error: unknown): boolean {
  return error instanceof GuestLostError && /load|migration/i.test(error.message);
}

async function stagedCheckpoint(kind: MachineKind, options: BootOptions): Promise<Checkpoint> {
  const base = await ensureCheckpoint(kind, (machine) => prepareGuest(machine, kind), options);
  const { stage } = options;
  if (!stage) return base;
  return ensureStagedCheckpoint(base, stage.key, async (statePath, toldDir) => {
    const guest = await restoreOrDrop(kind, base, { toldDir });
    try {
      await stage.prepare(guest);
      await guest.save(statePath);
    } finally {
      await guest.close();
    }
  }, options);
}

async function restore(kind: MachineKind, checkpoint: Checkpoint, options: BootOptions): Promise<Guest> {
  const dir = temporaryFolder('g');
  const filesDir = options.keepDir ?? dir;
  const toldDir = options.toldDir ?? dir;
  let machine: Machine | undefined;
  try {
    await mkdir(filesDir, { recursive: true });
    if (kind.spec.hasProbes) await cp(toldDirOf(checkpoint), toldDir, { recursive: true });
    await makeDisks(kind.spec, filesDir);
    for (const disk of kind.spec.disks) {
      const path = diskPath(filesDir, disk.name);
      await options.prepareDisk?.(disk.name, path);
      const { size } = await stat(path);
      if (size !== disk.sizeBytes) throw new RangeError(`prepareDisk changed the size of ${disk.name} to ${size} bytes`);
    }
    const started = performance.now();
    const state = await open(checkpoint.statePath);
    try {
      machine = await Machine.start({
        ...kind,
        kernelImage: kind.kernel.bzImage,
        rootImage: kind.root.imagePath,
        dir,
        filesDir,
        toldDir,
        stateFd: state.fd,
      });
    } finally {
      await state.close();
    }
    const channel = await firstAnswer(machine, RESTORE_TIMEOUT_MS * flavourNeeds(kind.kernel.flavour).slowdown);
    // What QEMU itself asked of them while it started is none of the guest's.
    for (const disk of machine.disks.values()) disk.forget();
    return new Guest({
      kernel: kind.kernel,
      machine,
      channel,
      disks: guestDisks(kind, checkpoint, filesDir),
      restoreMs: performance.now() - started,
      bootLog: checkpoint.facts.klog,
      temporaryDirs: [dir],
    });
  } catch (error) {
    machine?.kill();
    await machine?.ended;
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function firstAnswer(machine: Machine, timeoutMs: number): Promise<Channel> {
  const channel = new Channel(machine.port);
  let over = false;
  void machine.ended.then((end) => {
    over = true;
    channel.fail(endError(end, machine));
  });
  const answer = channel.ping();
  answer.catch(() => undefined);
  const deadline = performance.now() + timeoutMs;
  while (!over) {
    const { status } = await machine.qmp.execute<{ status: string }>('query-status').catch(() => ({ status: 'gone' }));
    if (status === 'paused' || status === 'gone') break;
    if (performance.now() > deadline) throw restoreTimeout(machine, timeoutMs);
    await sleep(3);
  }
  await machine.qmp.execute('cont').catch(() => undefined);
  if (!await within(answer.then(() => true), deadline - performance.now())) {
    throw restoreTimeout(machine, timeoutMs);
  }
  return channel;
}

function restoreTimeout(machine: Machine, timeoutMs: number): HarnessError {
  return new HarnessError(`the restored guest did not answer within ${timeoutMs} ms\n${machine.console.tail()}`, {
    code: 'ERESTORE', blame: 'rig', phase: 'restore', nextStep: 'The host may be overloaded: run with fewer --jobs.',
  });
}

function guestDisks(kind: MachineKind, checkpoint: Checkpoint, filesDir: string): Map<string, GuestDisk> {
  return new Map(kind.spec.disks.map((spec) => [spec.name, {
    spec,
    hostPath: diskPath(filesDir, spec.name),
    devPath: checkpoint.facts.devPaths[spec.name] as string,
  }]));
}
