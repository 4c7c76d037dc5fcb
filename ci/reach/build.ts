/** Builds kernel and module with a probe before each statement that is under test. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { attempt, buildModule, ensureKernel, PROBE_PORT, temporaryFolder, type KernelLine } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { Tell } from '../build/stage.js';
import { withProbes, type ProbedFile, type ProbedSources } from './probes.js';

const timeoutMs = 60_000;

export interface Probed {
  readonly line: KernelLine;
  readonly flavour: string;
  readonly moduleDir: string;
  readonly sources: ProbedSources;
}

export async function buildProbed({ line, flavour, moduleDir, sources }: Probed, tell: Tell): Promise<Ready> {
  const folder = temporaryFolder('probes-');
  try {
    const copy = join(folder, 'module');
    cpSync(moduleDir, copy, { recursive: true });
    for (const [file, probed] of sources) {
      if (file.startsWith('module/')) writeFileSync(join(copy, relative('module', file)), withProbes(probed, PROBE_PORT));
    }
    const patch = await kernelPatch([...sources].filter(([file]) => !file.startsWith('module/')), folder);
    const kernel = await ensureKernel(line, flavour, { progress: tell, extraPatches: [patch] });
    return { kernel, module: await buildModule(kernel, copy, { progress: tell }) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The probes as one more patch of the line, for that is how a variant of a kernel is built. */
async function kernelPatch(sources: readonly (readonly [string, ProbedFile])[], folder: string): Promise<string> {
  for (const [file, probed] of sources) {
    for (const [side, text] of [['a', probed.text], ['b', withProbes(probed, PROBE_PORT)]] as const) {
      const path = join(folder, side, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }
  const { stdout } = await attempt(['git', 'diff', '--no-index', '--no-prefix', '--no-color', 'a', 'b'], { phase: 'probes', timeoutMs, cwd: folder });
  const path = join(folder, '9999-probes.patch');
  writeFileSync(path, stdout);
  return path;
}
