/** The second driver: the same kernel on the host's own root file system, laid out by virtme-ng. Nothing of the host's
 *  is written: the root is read-only, and what the guest writes goes to its own memory. There is no checkpoint, since a
 *  mounted 9p file system cannot be saved: each guest is booted, which takes some 15 s under TCG. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDisks, type CheckpointOptions } from '../boot/checkpoint.js';
import { flavourNeeds } from '../boot/flavour.js';
import { diskPath, Machine } from '../boot/machine.js';
import type { MachineSpec } from '../boot/spec.js';
import { vngArgv } from '../boot/vng/argv.js';
import { hookScript } from '../boot/vng/hook.js';
import { virtmeLayout } from '../boot/vng/layout.js';
import { findVirtme } from '../boot/vng/package.js';
import { MissingToolError } from '../errors.js';
import { buildTools } from '../kernel/tool.js';
import type { KernelBuild } from '../kernel/types.js';
import { temporaryFolder } from '../proc/cleanup.js';
import { findProgram } from '../proc/find.js';
import { machineKind, type BootOptions } from './boot.js';
import { Channel } from './channel.js';
import { Guest } from './guest.js';
import { awaitGuest } from './prepare.js';

/** Ten times what it takes: virtme-ng itself would wait for ever. */
const BOOT_TIMEOUT_MS = 180_000;

export async function bootVng(kernel: KernelBuild, spec: MachineSpec, options: BootOptions = {}): Promise<Guest> {
  const { accelerator, clock, spec: full } = await machineKind(kernel, spec, options);
  const virtme = await findVirtme(options);
  const dir = temporaryFolder('v');
  const filesDir = options.keepDir ?? dir;
  let machine: Machine | undefined;
  try {
    await mkdir(filesDir, { recursive: true });
    await makeDisks(full, filesDir);
    for (const disk of full.disks) await options.prepareDisk?.(disk.name, diskPath(filesDir, disk.name));
    const hook = await writeHook(kernel, dir, options);
    const layout = await virtmeLayout(virtme, kernel.bzImage, full, dir);
    const started = performance.now();
    machine = await Machine.start({
      accelerator, clock, spec: full, kernelImage: kernel.bzImage, rootImage: '', dir, filesDir,
      argv: (args) => vngArgv(layout, hook, args),
    });
    const channel = new Channel(machine.port);
    const { slowdown } = flavourNeeds(kernel.flavour);
    const { devPaths } = await awaitGuest({ machine, channel, slowdown }, full.disks, BOOT_TIMEOUT_MS);
    const guest = new Guest({
      kernel,
      machine,
      channel,
      disks: new Map(full.disks.map((disk) => [disk.name, {
        spec: disk, hostPath: diskPath(filesDir, disk.name), devPath: devPaths[disk.name] as string,
      }])),
      restoreMs: performance.now() - started,
      temporaryDirs: [dir],
    });
    await options.stage?.prepare(guest);
    return guest;
  } catch (error) {
    machine?.kill();
    await machine?.ended;
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function writeHook(kernel: KernelBuild, dir: string, options: CheckpointOptions): Promise<string> {
  const { dir: toolsDir } = await buildTools(options);
  const busybox = await findProgram('busybox');
  if (!busybox) throw new MissingToolError('busybox', 'virtme-ng');
  const path = join(dir, 'hook');
  await writeFile(path, hookScript({ toolsDir, modulesDir: kernel.modulesDir, busybox }));
  return path;
}
