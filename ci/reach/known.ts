/** What is known of which test reaches which places: kept in the user's cache, a file for each test file, under a key
 *  of all that it depends on. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cacheRoom, contentKey, prune, readJson, touch, writeFileAtomic } from '../../vm/index.js';
import type { Ready } from '../build/prepare.js';
import type { KnownTest } from '../select/collect.js';

/** Raised when probes change their meaning. */
const recipe = '1';
const filesKept = 300;

/** Ids of places by id of test; a test that is not in it may reach anything. */
export type Reached = ReadonlyMap<string, ReadonlySet<number>>;

/** Path in the cache for a test file, by its path from the root. */
export type Entries = ReadonlyMap<string, string>;

/** What each test file's own content, all that tests share, the seed, kernel and module make of it. */
export async function entriesOf(root: string, tests: readonly KnownTest[], { kernel, module }: Ready, seed: number): Promise<Entries> {
  const shared = ['vm', 'suites'].flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.test\.ts$|\.md$|\.patch$|\.yaml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)).sort();
  const sharedKey = createHash('sha256');
  for (const path of shared) sharedKey.update(`${relative(root, path)}\0`).update(readFileSync(path)).update('\0');
  const common = [recipe, kernel.key, module.key, String(seed), sharedKey.digest('hex')];
  const room = await cacheRoom('reach');
  const files = [...new Set(tests.map(({ file }) => file))];
  return new Map(files.map((file) => [file, join(room, `${contentKey(...common, file, readFileSync(join(root, file)))}.json`)]));
}

export async function readReached(entries: Entries): Promise<{ readonly reached: Reached; readonly missing: ReadonlySet<string> }> {
  const reached = new Map<string, ReadonlySet<number>>();
  const missing = new Set<string>();
  for (const [file, path] of entries) {
    const found = await readJson<Record<string, number[]>>(path);
    if (found === undefined) {
      missing.add(file);
    } else {
      await touch(path);
      for (const [id, places] of Object.entries(found)) reached.set(id, new Set(places));
    }
  }
  return { reached, missing };
}

export async function keepReached(entries: Entries, tests: readonly KnownTest[], reached: Reached): Promise<void> {
  await prune(await cacheRoom('reach'), filesKept);
  for (const file of new Set(tests.map((test) => test.file))) {
    const own = tests.filter((test) => test.file === file && reached.has(test.id));
    const path = entries.get(file);
    if (path !== undefined) await writeFileAtomic(path, JSON.stringify(Object.fromEntries(own.map(({ id }) => [id, [...reached.get(id) ?? []]]))));
  }
}
