/** The user's cache: where it is, and how its entries are named. Nothing in it is ever half-made (see temporary.ts). */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { HarnessError } from '../errors.js';

export type CacheRoom = 'sources' | 'kernels' | 'variants' | 'modules' | 'tools' | 'roots' | 'checkpoints' | 'reach' | 'locks';

export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['BLKSNAP_SUITE_CACHE']) return env['BLKSNAP_SUITE_CACHE'];
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'blksnap-suite');
}

export async function cacheRoom(room: CacheRoom): Promise<string> {
  const path = join(cacheFolder(), room);
  if (/[\s:]/.test(path)) {
    throw new HarnessError(`the kernel cannot be built in ${path}: its makefiles allow no blanks or colons there`, {
      code: 'ECACHEPATH', blame: 'rig', phase: 'cache', nextStep: 'Set BLKSNAP_SUITE_CACHE to a folder whose path has neither.',
    });
  }
  await mkdir(path, { recursive: true });
  return path;
}

/** A short name for content: enough of a SHA-256 that two never meet. */
export function contentKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(`${part.length}:`);
    hash.update(part);
  }
  return hash.digest('hex').slice(0, 20);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}

/** Parsed JSON, or undefined when the file is absent or damaged: the cache can always be made anew. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
