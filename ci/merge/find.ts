/** The reports that words on the command line mean: a junit.xml, or every one below a folder. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../cli/exit-codes.js';
import { readJunit } from '../report/read-junit.js';
import type { ShardReport } from './join.js';

const depthMax = 5;

/** Throws UsageError for a path that leads to no report of ours. */
export function findReports(paths: readonly string[]): ShardReport[] {
  const files = paths.flatMap((path) => {
    const found = isFolder(path) ? reportsBelow(path, 0) : [path];
    if (found.length === 0) throw new UsageError(`${path}: there is no junit.xml in it`);
    return found;
  });
  // The same file by two ways, such as results/latest, is one report; a copy of it is a second.
  const distinct = files.filter((file, at) => files.findIndex((other) => realpathSync(other) === realpathSync(file)) === at);
  return distinct.map((path) => {
    const report = readJunit(readFileSync(path, 'utf8'));
    if (report === undefined) throw new UsageError(`${path}: expected a report of npm start or npm test, with tests in it`);
    return { path, report };
  });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new UsageError(`${path}: expected a junit.xml or a folder with one, found ${(error as NodeJS.ErrnoException).code}`);
  }
}

function reportsBelow(folder: string, depth: number): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const here = entries.filter((entry) => entry.isFile() && entry.name === 'junit.xml').map(({ name }) => join(folder, name));
  // Below a run's report are those of its canaries and mutants, which are none of its own.
  if (here.length > 0) return here;
  // Links are passed over: results/latest leads to a folder that is found by its own name.
  const below = depth < depthMax ? entries.filter((entry) => entry.isDirectory()) : [];
  return below.flatMap(({ name }) => reportsBelow(join(folder, name), depth + 1));
}
