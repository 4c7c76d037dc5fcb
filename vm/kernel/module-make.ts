/** What all builds of a module do: make in a folder with its sources, and take a product without its debug information. */
import { copyFile, writeFile } from 'node:fs/promises';
import type { LockOptions } from '../cache/lock.js';
import { exec } from '../proc/exec.js';
import { make } from './make.js';
import type { KernelBuild } from './types.js';

const BUILD_TIMEOUT_MS = 600_000;
const STRIP_TIMEOUT_MS = 30_000;

export interface ModuleMakeOptions extends Pick<LockOptions, 'progress' | 'signal'> {
  readonly logPath: string;
  /** C files that there are to compile. */
  readonly total: number;
  /** For make, such as settings of the configuration. */
  readonly args?: readonly string[];
}

/** Throws BuildError when it does not compile. */
export async function makeModule(kernel: KernelBuild, source: string, options: ModuleMakeOptions): Promise<void> {
  const { logPath, total, args = [], progress, signal } = options;
  await writeFile(logPath, '');
  // Without the map, BUG() and WARN() would name this temporary folder.
  await make(['-C', kernel.buildDir, `M=${source}`, `KCFLAGS=-fmacro-prefix-map=${source}/=`, ...args, 'modules'], {
    what: 'module build', logPath, timeoutMs: BUILD_TIMEOUT_MS, total,
    ...(progress ? { progress } : {}), ...(signal ? { signal } : {}),
  });
}

export async function takeProduct(ko: string, to: string): Promise<void> {
  await copyFile(ko, to);
  await exec(['strip', '--strip-debug', to], { phase: 'module build', timeoutMs: STRIP_TIMEOUT_MS });
}
