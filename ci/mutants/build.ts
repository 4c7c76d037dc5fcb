/** Builds what a mutant makes of the module or of the kernel. */
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { buildModule, ensureKernel, PatchError, touchedFiles, type KernelLine, type ModuleWorkshop } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { Tell } from '../build/stage.js';
import { applyMutant, StaleMutantError } from './apply.js';
import type { Mutant } from './load.js';

export interface Original extends Ready {
  readonly line: KernelLine;
  readonly flavour: string;
  readonly moduleDir: string;
  /** Has the module compiled. What it builds stays until it builds the next. */
  readonly workshop: ModuleWorkshop;
}

export interface MutantBuild extends Ready {
  /** The module's sources, whose KUnit tests are built when they are run. */
  readonly moduleDir: string;
}

/** `folder` is for sources. Throws StaleMutantError when the patch does not fit, BuildError when what it makes does not
 *  compile. */
export function buildMutant(mutant: Mutant, original: Original, folder: string, tell: Tell): Promise<MutantBuild> {
  return mutant.kind === 'module' ? buildModuleMutant(mutant, original, folder, tell) : buildKernelMutant(mutant, original, tell);
}

/** Seconds: a copy of the module folder, of which the workshop compiles what the patch touches. */
async function buildModuleMutant(mutant: Mutant, { kernel, moduleDir, workshop }: Original, folder: string, tell: Tell): Promise<MutantBuild> {
  const copy = join(folder, 'module');
  mkdirSync(copy);
  cpSync(moduleDir, copy, { recursive: true });
  await applyMutant(mutant, folder);
  tell({ what: 'module build' });
  const changed = touchedFiles(readFileSync(mutant.path, 'utf8')).map((file) => relative('module', file));
  const module = await workshop.build(new Map(changed.map((file) => [file, readFileSync(join(copy, file))])));
  return { kernel, module, moduleDir: copy };
}

/** The patch goes behind the last one of the line. The module is built against it, since headers may differ. */
async function buildKernelMutant(mutant: Mutant, { line, flavour, moduleDir }: Original, tell: Tell): Promise<MutantBuild> {
  try {
    const kernel = await ensureKernel(line, flavour, { progress: tell, extraPatches: [mutant.path] });
    return { kernel, module: await buildModule(kernel, moduleDir, { progress: tell }), moduleDir };
  } catch (error) {
    if (!(error instanceof PatchError) || error.patch !== basename(mutant.path)) throw error;
    throw new StaleMutantError(mutant, [error.file ?? 'some file', error.hunkLine].filter(Boolean).join(':'), error.message);
  }
}
