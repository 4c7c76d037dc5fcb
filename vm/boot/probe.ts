/** Which accelerator really works here. /dev/kvm being there proves nothing: on some hosts a guest kernel never
 *  prints a line under it. So the real kernel is booted under KVM once, with a short limit, and the outcome remembered. */
import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, contentKey, readJson } from '../cache/folder.js';
import { withLock } from '../cache/lock.js';
import { writeFileAtomic } from '../cache/temporary.js';
import { temporaryFolder } from '../proc/cleanup.js';
import type { KernelBuild } from '../kernel/types.js';
import { errorText, within } from '../units.js';
import type { AcceleratorName } from './argv.js';
import type { CheckpointOptions, RootImage } from './checkpoint.js';
import { flavourNeeds } from './flavour.js';
import { hostKey, qemuVersion } from './host.js';
import { Machine } from './machine.js';
import { completeSpec } from './spec.js';

export interface Accelerator {
  readonly name: AcceleratorName;
  /** Why this one, in words for doctor. */
  readonly reason: string;
}

interface Remembered extends Accelerator {
  readonly key: string;
  readonly probedAt: string;
  /** It holds for an hour only. */
  readonly isSlow: boolean;
}

/** Under a KVM that works, the agent speaks within a second. */
const PROBE_MS_MAX = 6000;
/** Of a guest that was on its way when its time was up: the host may have been busy, and is asked again later. */
class SlowError extends Error {}
const SLOW_MS_MAX = 3_600_000;
const READY = 'agent: ready';

let memory: Promise<Accelerator> | undefined;

const probeFile = (): string => join(cacheFolder(), 'probe.json');

/** Chooses the accelerator, by a probe boot unless an earlier one on this host with this QEMU is remembered. */
export function detectAccelerator(kernel: KernelBuild, root: RootImage, options: CheckpointOptions = {}): Promise<Accelerator> {
  memory ??= detect(kernel, root, options);
  memory.catch(() => {
    memory = undefined;
  });
  return memory;
}

/** What is known without booting anything: for doctor. Undefined when no probe has been made. */
export async function rememberedAccelerator(): Promise<Accelerator | undefined> {
  const found = await readJson<Remembered>(probeFile());
  const isOver = found?.isSlow === true && Date.now() - Date.parse(found.probedAt) > SLOW_MS_MAX;
  return found && !isOver && found.key === await probeKey() ? found : undefined;
}

async function probeKey(): Promise<string> {
  return contentKey(await qemuVersion(), hostKey());
}

async function detect(kernel: KernelBuild, root: RootImage, options: CheckpointOptions): Promise<Accelerator> {
  const without = await kvmUnusable();
  // Not remembered: it costs nothing to look again, and the device may be there next time.
  if (without) return { name: 'tcg', reason: without };
  const known = await rememberedAccelerator();
  if (known) return known;
  return withLock('probe', options, async () => {
    const meanwhile = await rememberedAccelerator();
    if (meanwhile) return meanwhile;
    options.progress?.({ what: 'trying KVM with a probe boot' });
    const limitMs = PROBE_MS_MAX * flavourNeeds(kernel.flavour).slowdown;
    const failure = await probeKvm(kernel, root, limitMs);
    const isSlow = failure instanceof SlowError;
    const chosen: Accelerator = failure === undefined
      ? { name: 'kvm', reason: 'a probe boot under KVM reached user space' }
      : { name: 'tcg', reason: isSlow ? `KVM is too slow here: ${failure.message}` : `KVM does not work here: ${failure}` };
    const remembered: Remembered = { ...chosen, key: await probeKey(), probedAt: new Date().toISOString(), isSlow };
    await writeFileAtomic(probeFile(), `${JSON.stringify(remembered, null, 2)}\n`);
    return chosen;
  });
}

async function kvmUnusable(): Promise<string | undefined> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return `/dev/kvm cannot be used (${(error as NodeJS.ErrnoException).code ?? errorText(error)})`;
  }
}

/** Undefined when the kernel reached user space, otherwise what went wrong. */
async function probeKvm(kernel: KernelBuild, root: RootImage, limitMs: number): Promise<string | SlowError | undefined> {
  const dir = temporaryFolder('p');
  let machine: Machine | undefined;
  try {
    machine = await Machine.start({
      accelerator: 'kvm',
      clock: [],
      spec: completeSpec({ disks: [] }, kernel.flavour),
      kernelImage: kernel.bzImage,
      rootImage: root.imagePath,
      dir,
      filesDir: dir,
    });
    const { console } = machine;
    const ready = new Promise<'ready'>((resolve) => {
      console.onText(() => {
        if (console.text.includes(READY)) resolve('ready');
      });
    });
    const first = await within(Promise.race([ready, machine.ended]), limitMs);
    if (first === 'ready') return undefined;
    if (first === undefined) {
      if (console.text.trim()) return new SlowError(`a probe boot did not reach user space within ${limitMs} ms`);
      return `a probe boot printed nothing within ${limitMs} ms`;
    }
    return first.kind === 'lost' ? first.how : first.trouble.summary;
  } catch (error) {
    return errorText(error);
  } finally {
    machine?.kill();
    await machine?.ended;
    await rm(dir, { recursive: true, force: true });
  }
}
