/** Half-made cache entries: under a name of their own until complete, gone when their maker fails or dies. */
import { rmSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isAlive } from '../proc/alive.js';
import { onProcessEnd } from '../proc/cleanup.js';

let counter = 0;

/** Whose work it is can be read off the name, so that leftovers of killed runs are recognised. */
function temporaryName(path: string): string {
  counter += 1;
  return `${path}.tmp-${hostname()}-${process.pid}-${counter}`;
}

/** Lets `work` fill a file or folder beside `path`; it is renamed to `path` only when `work` succeeds. */
export async function makeEntry<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  return withTemporary(path, async (temporary) => {
    const result = await work(temporary);
    await rename(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      // What is left of an entry that nobody could open is in the way.
      await discard(path);
      await rename(temporary, path);
    });
    return result;
  });
}

/** Lets `work` use a file or folder beside `path`, removed afterwards in any case. */
export async function withTemporary<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  await sweep(dirname(path));
  const temporary = temporaryName(path);
  const forget = onProcessEnd(() => rmSync(temporary, { recursive: true, force: true }));
  try {
    return await work(temporary);
  } finally {
    forget();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Removes an entry so that nobody ever sees a part of it. */
export async function discard(path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await rename(path, temporary);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rm(temporary, { recursive: true, force: true });
}

export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeFile(temporary, data);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Removes what runs on this host that are no more have left in a folder. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = leftBy(name, hostname());
    if (pid !== undefined && !isAlive(pid)) await rm(join(folder, basename(name)), { recursive: true, force: true });
  }
}

/** The process that made a temporary entry on this host; undefined for other names. Pure. */
export function leftBy(name: string, host: string): number | undefined {
  const match = /\.tmp-(.+)-(\d+)-\d+$/.exec(name);
  return match && match[1] === host ? Number(match[2]) : undefined;
}
