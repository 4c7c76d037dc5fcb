/** Checkpoints: a machine booted once, saved, and restored for each test.
 *
 *  A restored guest is the same to the last bit each time: same clock, same entropy pool, same UUIDs to come.
 *  That is wanted, since it makes tests repeatable; whoever needs other random numbers brings a seed. */
import { mkdir, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HarnessError } from '../errors.js';
import { cacheRoom, contentKey, exists, readJson } from '../cache/folder.js';
import { withLock } from '../cache/lock.js';
import { prune, touch } from '../cache/prune.js';
import { discard, makeEntry } from '../cache/temporary.js';
import { temporaryFolder } from '../proc/cleanup.js';
import type { KlogLine } from '../guest/klog.js';
import type { KernelBuild } from '../kernel/types.js';
import { sleep, type Progress } from '../units.js';
import { machineArgv, type AcceleratorName } from './argv.js';
import { hostKey, qemuVersion } from './host.js';
import { diskPath, Machine } from './machine.js';
import type { FullMachineSpec } from './spec.js';

export interface RootImage {
  readonly imagePath: string;
  readonly key: string;
}

export interface MachineKind {
  readonly kernel: KernelBuild;
  readonly root: RootImage;
  readonly spec: FullMachineSpec;
  readonly accelerator: AcceleratorName;
  /** See clock/line.ts. Part of the key, as all of the command line is: where the counter has another rate, a saved clock
   *  goes wrong. */
  readonly clock: readonly string[];
}

/** What was learnt about the guest before it was saved, and holds for each restore. */
export interface CheckpointFacts {
  /** Device path in the guest, by disk name. */
  readonly devPaths: Readonly<Record<string, string>>;
  readonly bootMs: number;
  /** What the kernel said from power-on until the guest was saved: no restored guest says it again. */
  readonly klog: readonly KlogLine[];
  /** Why another boot might be better, see clock/timers.ts; absent when nothing is wrong. */
  readonly trouble?: string;
  readonly saveMs: number;
  readonly stateBytes: number;
  /** Keys of the kernel and of what was done to the guest; absent in old entries. */
  readonly madeOf?: readonly string[];
}

export interface Checkpoint {
  readonly key: string;
  readonly dir: string;
  readonly statePath: string;
  readonly facts: CheckpointFacts;
}

/** What probes tell before a guest is saved is of every guest restored from it. */
export const toldDirOf = ({ dir }: Pick<Checkpoint, 'dir'>): string => join(dir, 'told');

async function makeToldDir(dir: string): Promise<string> {
  const path = toldDirOf({ dir });
  await mkdir(path, { recursive: true });
  return path;
}

export interface CheckpointOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** Part of the key: raised when what is learnt before a guest is saved becomes something else. */
const RECIPE = 2;
/** About 40 MB each. */
const CHECKPOINTS_KEPT = 40;
const SAVE_TIMEOUT_MS = 60_000;
/** A host that is busy for so long gives no better guest soon. */
const BOOTS_MAX = 3;

/** Brings a just started machine to the state worth saving, and says what was learnt. */
export type Prepare = (machine: Machine) => Promise<Pick<CheckpointFacts, 'devPaths' | 'bootMs' | 'klog' | 'trouble'>>;

/** A checkpoint made from another one's restored machine: what was done to it in between is named by `stageKey`. */
export async function ensureStagedCheckpoint(
  base: Checkpoint, stageKey: string, save: (statePath: string, toldDir: string) => Promise<void>,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  const key = contentKey('stage', base.key, stageKey);
  return ensure(key, options, async (unfinished) => {
    await mkdir(unfinished, { recursive: true });
    await save(join(unfinished, 'state'), await makeToldDir(unfinished));
    const facts: CheckpointFacts = { ...base.facts, madeOf: [...base.facts.madeOf ?? [], stageKey] };
    await writeFile(join(unfinished, 'facts.json'), JSON.stringify(facts, null, 2));
  });
}

/** The whole command line is part of the key: saved state only fits the machine that saved it. */
export async function checkpointKey(kind: MachineKind): Promise<string> {
  const argv = machineArgv({
    ...kind,
    paths: {
      kernel: '', root: '', qmpSocket: '', consoleSocket: '', portSocket: '',
      disk: () => '', diskSocket: () => '', told: () => '',
    },
  });
  const sizes = kind.spec.disks.map((disk) => `${disk.name}:${disk.sizeBytes}`).join(' ');
  const host = kind.accelerator === 'kvm' ? hostKey() : '';
  return contentKey(String(RECIPE), kind.kernel.key, kind.root.key, argv.join('\0'), sizes, await qemuVersion(), host);
}

/** The checkpoint of this kind of machine, made now if it is missing. Others who want the same one wait. */
export async function ensureCheckpoint(
  kind: MachineKind, prepare: Prepare, options: CheckpointOptions = {},
): Promise<Checkpoint> {
  const key = await checkpointKey(kind);
  return ensure(key, options, async (unfinished) => {
    for (let boot = 1; ; boot++) {
      const again = boot === 1 ? '' : ` (${boot} of ${BOOTS_MAX}: the host is busy)`;
      options.progress?.({ what: `booting the guest for its checkpoint${again}` });
      if (await makeCheckpoint(kind, unfinished, prepare, boot === BOOTS_MAX)) return;
    }
  });
}

async function ensure(key: string, options: CheckpointOptions, make: (unfinished: string) => Promise<void>): Promise<Checkpoint> {
  const dir = join(await cacheRoom('checkpoints'), key);
  const found = await openCheckpoint(dir, key);
  if (found) return found;
  return withLock(`checkpoint-${key}`, options, async () => {
    const made = await openCheckpoint(dir, key);
    if (made) return made;
    await prune(await cacheRoom('checkpoints'), CHECKPOINTS_KEPT);
    await makeEntry(dir, make);
    const checkpoint = await openCheckpoint(dir, key);
    if (!checkpoint) {
      throw new HarnessError(`checkpoint ${dir} vanished`, { code: 'ECHECKPOINT', blame: 'rig', phase: 'checkpoint' });
    }
    return checkpoint;
  });
}

/** Throws away a checkpoint that cannot be restored. */
export async function dropCheckpoint(checkpoint: Checkpoint): Promise<void> {
  await discard(checkpoint.dir);
}

/** Throws away the checkpoints that a kernel or a module of this key is in: for builds that nobody will want again. */
export async function forgetCheckpoints(key: string): Promise<void> {
  const room = await cacheRoom('checkpoints');
  for (const name of await readdir(room)) {
    const facts = await readJson<CheckpointFacts>(join(room, name, 'facts.json'));
    if (facts?.madeOf?.some((part) => part.includes(key))) await discard(join(room, name));
  }
}

async function openCheckpoint(dir: string, key: string): Promise<Checkpoint | undefined> {
  const statePath = join(dir, 'state');
  const facts = await readJson<CheckpointFacts>(join(dir, 'facts.json'));
  if (!facts || !await exists(statePath)) return undefined;
  await touch(dir);
  return { key, dir, statePath, facts };
}

/** False when it came out with trouble, and nothing was saved. */
async function makeCheckpoint(kind: MachineKind, unfinished: string, prepare: Prepare, takeAny: boolean): Promise<boolean> {
  const work = temporaryFolder('b');
  await mkdir(unfinished, { recursive: true });
  try {
    await makeDisks(kind.spec, work);
    const machine = await Machine.start({
      ...kind,
      kernelImage: kind.kernel.bzImage,
      rootImage: kind.root.imagePath,
      dir: work,
      filesDir: work,
      toldDir: await makeToldDir(unfinished),
    });
    try {
      const learnt = await prepare(machine);
      if (learnt.trouble !== undefined && !takeAny) return false;
      const started = performance.now();
      await saveState(machine, join(unfinished, 'state'));
      const facts: CheckpointFacts = {
        ...learnt,
        madeOf: [kind.kernel.key],
        saveMs: Math.round(performance.now() - started),
        stateBytes: (await stat(join(unfinished, 'state'))).size,
      };
      await writeFile(join(unfinished, 'facts.json'), JSON.stringify(facts, null, 2));
      return true;
    } finally {
      machine.kill();
      await machine.ended;
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Fresh, sparse disk files: a restored guest must find the sizes it was saved with, and nothing in them. */
export async function makeDisks(spec: FullMachineSpec, filesDir: string): Promise<void> {
  for (const disk of spec.disks) {
    const path = diskPath(filesDir, disk.name);
    await writeFile(path, '');
    await truncate(path, disk.sizeBytes);
  }
}

/** Stops the machine and writes what it is to a file. */
export async function saveState(machine: Machine, path: string): Promise<void> {
  await machine.qmp.execute('stop');
  await machine.qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 36 });
  await machine.qmp.execute('migrate', { uri: `exec:cat > '${path.replaceAll("'", `'\\''`)}'` });
  const deadline = performance.now() + SAVE_TIMEOUT_MS;
  for (;;) {
    const state = await machine.qmp.execute<{ status: string; 'error-desc'?: string }>('query-migrate');
    if (state.status === 'completed') return;
    if (state.status === 'failed' || performance.now() > deadline) {
      throw new HarnessError(`saving the guest failed: ${state['error-desc'] ?? state.status}`, {
        code: 'ECHECKPOINT', blame: 'rig', phase: 'checkpoint', nextStep: 'Check that the cache folder has space left.',
      });
    }
    await sleep(10);
  }
}
