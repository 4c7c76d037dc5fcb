/** The results folder of one run: `results/<time>/`, and `results/latest` pointing at the newest one.
 *  Files are replaced whole (temporary file, then rename), so a reader never meets half a report. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Shard } from '../select/plan.js';

/** Creates a folder that no other run has, also when two start in the same second. Those of shards differ in their names,
 *  since CI systems lay them side by side. */
export function createResultsDir(root: string, now: Date, { index, count }: Shard = { index: 1, count: 1 }): string {
  const results = join(root, 'results');
  mkdirSync(results, { recursive: true });
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z').replaceAll(':', '-');
  const stamp = count === 1 ? time : `${time}-shard-${index}-of-${count}`;
  for (let attempt = 1; ; attempt++) {
    const dir = join(results, attempt === 1 ? stamp : `${stamp}-${attempt}`);
    try {
      mkdirSync(dir);
      pointLatestAt(results, dir);
      return dir;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function pointLatestAt(results: string, dir: string): void {
  const temporary = join(results, `.latest.${process.pid}.tmp`);
  symlinkSync(basename(dir), temporary);
  renameSync(temporary, join(results, 'latest'));
}
