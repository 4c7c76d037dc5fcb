/** Keeps the cache from growing without end: what has not been used for days goes, the newest always stay. */
import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { discard } from './temporary.js';

export interface Entry {
  readonly name: string;
  /** When it was last used. */
  readonly usedMs: number;
}

const HOUR_MS = 3_600_000;
/** Longer than any run: what a run uses is younger. */
const UNUSED_MS = 48 * HOUR_MS;

/** Marks an entry as used now. */
export async function touch(path: string): Promise<void> {
  const now = new Date();
  // Pruning is a courtesy: a cache that cannot be touched still works.
  await utimes(path, now, now).catch(() => undefined);
}

/** Removes entries of a room that nobody has used for long, except for the `keep` newest. */
export async function prune(room: string, keep: number, keepNames: readonly string[] = []): Promise<void> {
  const names = (await readdir(room).catch(() => [])).filter((name) => !keepNames.includes(name));
  const entries = await Promise.all(names.map(async (name) => (
    { name, usedMs: await stat(join(room, name)).then(({ mtimeMs }) => mtimeMs, () => Number.POSITIVE_INFINITY) })));
  for (const name of outdated(entries, keep, Date.now())) await discard(join(room, name));
}

/** Names to remove; pure. */
export function outdated(entries: readonly Entry[], keep: number, nowMs: number): string[] {
  return [...entries]
    .sort((a, b) => b.usedMs - a.usedMs)
    .slice(keep)
    .filter(({ usedMs }) => nowMs - usedMs > UNUSED_MS)
    .map(({ name }) => name);
}
