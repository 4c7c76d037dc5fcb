/** Gets a kernel's pristine source: fetched, verified, unpacked once, never changed afterwards. */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoom, contentKey, exists } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import { prune, touch } from '../cache/prune.js';
import { withTemporary } from '../cache/temporary.js';
import { exec } from '../proc/exec.js';
import { findDebianSource } from './debian.js';
import type { KernelLine } from './lines.js';
import { fetchTarball } from './tarball.js';

export interface PristineSource {
  /** Names the content: package with version, or hash. */
  readonly id: string;
  readonly dir: string;
}

/** About 1.7 GB each. */
const SOURCES_KEPT = 2;
const UNPACK_TIMEOUT_MS = 900_000;

/** Where the archive of a source comes from, once it is known which one it is. */
export interface SourceArchive {
  readonly id: string;
  /** Downloads or finds the verified archive; may put files into `work`, which is removed afterwards. */
  fetch(work: string): Promise<string>;
}

export async function ensureSource(line: KernelLine, options: LockOptions = {}): Promise<PristineSource> {
  const room = await cacheRoom('sources');
  const archive = line.source.kind === 'debian' ? await findDebianSource(line.source.package, options) : tarballArchive(line);
  const dir = join(room, contentKey(archive.id));
  const source = { id: archive.id, dir };
  if (await exists(dir)) {
    await touch(dir);
    return source;
  }
  return withLock(`source-${contentKey(archive.id)}`, options, async () => {
    if (await exists(dir)) return source;
    await prune(room, SOURCES_KEPT, ['apt']);
    return withTemporary(dir, async (work) => {
      const tree = join(work, 'tree');
      await mkdir(tree, { recursive: true });
      options.progress?.({ what: `fetching ${archive.id}` });
      const path = await archive.fetch(work);
      options.progress?.({ what: `unpacking ${archive.id}` });
      await exec(['tar', '-xf', path, '-C', tree, '--strip-components=1', '--no-same-owner'], {
        phase: 'kernel source', timeoutMs: UNPACK_TIMEOUT_MS, ...(options.signal ? { signal: options.signal } : {}),
      });
      await rename(tree, dir);
      return source;
    });
  });
}

function tarballArchive(line: KernelLine): SourceArchive {
  if (line.source.kind !== 'tarball') throw new TypeError('not a tarball');
  const { location, sha256 } = line.source;
  return { id: `sha256:${sha256}`, fetch: (work) => fetchTarball(location, sha256, work) };
}
