/** A line's patched tree for those who read it, such as style checks: brought up to the series, and held so meanwhile. */
import { join } from 'node:path';
import { cacheRoom } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import type { KernelLine } from './lines.js';
import { readPatches, syncTree } from './patch.js';
import { ensureSource } from './source.js';

export interface PatchedTree {
  readonly sourceDir: string;
  /** Paths of the series, in order. */
  readonly patches: readonly string[];
}

/** No build of the line runs while `work` does. */
export async function withPatchedTree<T>(line: KernelLine, options: LockOptions, work: (tree: PatchedTree) => Promise<T>): Promise<T> {
  const source = await ensureSource(line, options);
  const patches = await readPatches(line.patchesDir);
  const sourceDir = join(await cacheRoom('kernels'), 'work', line.name, 'source');
  return withLock(`line-${line.name}`, options, async () => {
    await syncTree(source, patches, sourceDir);
    return work({ sourceDir, patches: patches.map(({ path }) => path) });
  });
}
