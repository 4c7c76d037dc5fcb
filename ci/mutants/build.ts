/** Builds what a mutant makes of the module or of the kernel. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildModule, ensureKernel, PatchError, temporaryFolder, type KernelLine } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { Tell } from '../build/stage.js';
import { applyMutant, StaleMutantError } from './apply.js';
import type { Mutant } from './load.js';

export interface Original extends Ready {
  readonly line: KernelLine;
  readonly flavour: string;
  readonly moduleDir: string;
}

/** Throws StaleMutantError when the patch does not fit, BuildError when what it makes does not compile. */
export function buildMutant(mutant: Mutant, original: Original, tell: Tell): Promise<Ready> {
  return mutant.kind === 'module' ? buildModuleMutant(mutant, original, tell) : buildKernelMutant(mutant, original, tell);
}

/** Seconds: a copy of the module folder, against the same kernel. */
async function buildModuleMutant(mutant: Mutant, { kernel, moduleDir }: Original, tell: Tell): Promise<Ready> {
  const folder = temporaryFolder('mutant-');
  try {
    const copy = join(folder, 'module');
    mkdirSync(copy);
    cpSync(moduleDir, copy, { recursive: true });
    await applyMutant(mutant, folder);
    return { kernel, module: await buildModule(kernel, copy, { progress: tell }) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The patch goes behind the last one of the line. The module is built against it, since headers may differ. */
async function buildKernelMutant(mutant: Mutant, { line, flavour, moduleDir }: Original, tell: Tell): Promise<Ready> {
  try {
    const kernel = await ensureKernel(line, flavour, { progress: tell, extraPatches: [mutant.path] });
    return { kernel, module: await buildModule(kernel, moduleDir, { progress: tell }) };
  } catch (error) {
    if (!(error instanceof PatchError) || error.patch !== basename(mutant.path)) throw error;
    throw new StaleMutantError(mutant, [error.file ?? 'some file', error.hunkLine].filter(Boolean).join(':'), error.message);
  }
}
