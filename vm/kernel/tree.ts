/** A line's patched tree for those who read it, such as style checks: brought up to the series, and held so meanwhile. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoom } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import type { KernelLine } from './lines.js';
import { applyPatches, readPatches, syncTree } from './patch.js';
import { ensureSource } from './source.js';

export interface PatchedTree {
  readonly sourceDir: string;
  /** The same without the series. */
  readonly pristineDir: string;
  /** Paths of the series, in order. */
  readonly patches: readonly string[];
}

/** No build of the line runs while `work` does. */
export async function withPatchedTree<T>(
  line: KernelLine, options: LockOptions, work: (tree: PatchedTree) => Promise<T>,
): Promise<T> {
  const source = await ensureSource(line, options);
  const patches = await readPatches(line.patchesDir);
  const sourceDir = join(await cacheRoom('kernels'), 'work', line.name, 'source');
  return withLock(`line-${line.name}`, options, async () => {
    await syncTree(source, patches, sourceDir);
    return work({ sourceDir, pristineDir: source.dir, patches: patches.map(({ path }) => path) });
  });
}

/** What files of the kernel hold once the series is applied. Builds may run meanwhile. */
export async function patchedFiles(
  line: KernelLine, files: readonly string[], options: LockOptions = {},
): Promise<Map<string, Buffer>> {
  const source = await ensureSource(line, options);
  const patched = await applyPatches(source, await readPatches(line.patchesDir));
  const contents = files.map(async (file) => [file, patched.get(file) ?? await readFile(join(source.dir, file))] as const);
  return new Map(await Promise.all(contents));
}
