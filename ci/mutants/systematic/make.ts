/** Systematic changes as mutants: patches in a folder of the run's own, with a head like the written ones. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../../../vm/index.js';
import { phase } from '../apply.js';
import type { Mutant } from '../load.js';
import { applied } from './changes.js';
import { allChanges, changeKey, changeName, type PlacedChange } from './choose.js';

const timeoutMs = 60_000;

/** What of a module is changed: its sources, without their tests. */
export function sourcesIn(moduleDir: string): Map<string, string> {
  const names = readdirSync(moduleDir).filter((name) => name.endsWith('.c') && !/_kunit\.c$|\.mod\.c$/.test(name));
  return new Map(names.map((name) => [name, readFileSync(join(moduleDir, name), 'utf8')]));
}

export function changesIn(moduleDir: string): PlacedChange[] {
  return allChanges(sourcesIn(moduleDir));
}

/** `folder` is a new one. Any test may see it, so it names all ids. */
export async function makeMutant(change: PlacedChange, moduleDir: string, folder: string, specIds: readonly string[]): Promise<Mutant> {
  const before = readFileSync(join(moduleDir, change.file), 'utf8');
  for (const [side, text] of [['a', before], ['b', applied(before, change)]] as const) {
    mkdirSync(join(folder, side, 'module'), { recursive: true });
    writeFileSync(join(folder, side, 'module', change.file), text);
  }
  const { stdout } = await attempt(['git', 'diff', '--no-index', '--no-prefix', '--no-color', '-U2', 'a', 'b'], { phase, timeoutMs, cwd: folder });
  const breaks = `${change.what}: ${change.code}`;
  const path = join(folder, 'change.patch');
  writeFileSync(path, stdout);
  const [name, key] = [changeName(change), changeKey(change)];
  return { name, key, kind: 'module', file: `module/${change.file}`, path, breaks, forWhom: '', howBad: '', specIds };
}
