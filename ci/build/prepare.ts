/** Makes ready what tests need: kernel, module, guest root and tools, accelerator; each from the cache when it is there. */
import { basename, join } from 'node:path';
import { BuildError, buildModule, ensureKernel, machineKind, type KernelBuild, type KernelLine, type ModuleBuild } from '../../vm/index.js';
import type { CliOptions } from '../cli/args.js';
import type { ReportStore } from '../report/store.js';
import type { Progress } from '../session/progress.js';
import { runStage, type Stage, type Tell } from './stage.js';

export interface Ready {
  readonly kernel: KernelBuild;
  readonly module: ModuleBuild;
}

export interface PrepareOptions {
  readonly root: string;
  readonly line: KernelLine;
  readonly cli: CliOptions;
  readonly store: ReportStore;
  readonly progress: Progress;
  readonly repeat: string;
  /** See Stage. */
  readonly needs?: Stage['needs'];
}

/** Undefined when a stage failed; the report then says which and why. The keys of what was built are those of the report's
 *  own flavour: a shard without a test on another one builds nothing for it, and merges all the same. */
export async function prepareGuests({ root, line, cli, store, progress, repeat, needs }: PrepareOptions): Promise<Ready | undefined> {
  const stage: Stage = { store, progress, repeat, needs };
  const kernel = await runStage(stage, `kernel ${line.name} ${cli.flavour}`, (tell) => ensureKernel(line, cli.flavour, { progress: tell }));
  if (kernel === undefined) return undefined;
  const isReportsOwn = cli.flavour === store.report.properties.get('flavour');
  store.report.properties.set('kernel', kernel.release);
  if (isReportsOwn) store.report.origin.set('kernelKey', kernel.key);
  const moduleDir = moduleFolder(root, cli);
  const module = await runStage(stage, 'module', (tell) => buildNamed(kernel, moduleDir, tell));
  if (module === undefined) return undefined;
  if (isReportsOwn) store.report.origin.set('moduleKey', module.key);
  const machine = await runStage(stage, 'guest tools, root and accelerator', (tell) => machineKind(kernel, { disks: [] }, { progress: tell }));
  return machine === undefined ? undefined : { kernel, module };
}

/** The name is part of the interface: of its parameters in sysfs, and of how it is loaded. */
async function buildNamed(kernel: KernelBuild, moduleDir: string, progress: Tell): Promise<ModuleBuild> {
  const built = await buildModule(kernel, moduleDir, { progress });
  if (basename(built.koPath) !== 'blksnap.ko') throw new BuildError('module', `expected blksnap.ko from ${moduleDir}, found ${basename(built.koPath)}`, built.koPath);
  return built;
}

export function moduleFolder(root: string, { moduleDir }: CliOptions): string {
  return moduleDir ?? join(root, 'module');
}
