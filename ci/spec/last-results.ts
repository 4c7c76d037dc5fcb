/** How each test last ended, read back from the reports of the runs in results/. Shards, selections and merged reports
 *  hold a part of the tests each: a test's last result is that of the newest run in which it passed or failed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseReport, RunReport } from '../report/model.js';
import { readJunit } from '../report/read-junit.js';
import { printable } from '../report/text.js';

/** `not run` is also a test that was skipped or did not finish: it proves nothing. */
export type LastResult = 'passed' | 'failed' | 'not run';

export interface Ended {
  readonly result: LastResult;
  /** Report that says so, from the root of the repository; undefined when no run has a result. */
  readonly from: string | undefined;
}

export interface LastResults {
  endOf(file: string, name: string): Ended;
}

/** Older runs than so many are not looked at. */
const runsMax = 200;
const never: Ended = { result: 'not run', from: undefined };

export function readLastResults(root: string): LastResults {
  const runs = runsOf(root);
  const known = new Map<string, Ended>();
  // Most tests are in the newest runs: older ones are read only for a test that none so far has.
  const readOne = (): boolean => {
    const run = runs.shift();
    if (run === undefined) return false;
    const from = `results/${run}/junit.xml`;
    for (const [key, result] of resultsOf(readReport(join(root, from)))) {
      if (!known.has(key)) known.set(key, { result, from });
    }
    return true;
  };
  return {
    endOf: (file, name) => {
      const key = resultKey(file, name);
      while (!known.has(key) && readOne());
      return known.get(key) ?? never;
    },
  };
}

/** Results in one report. A test that ran several times counts by its worst. */
export function resultsOf(report: RunReport | undefined): Map<string, LastResult> {
  const results = new Map<string, LastResult>();
  // Another module under test says nothing about this one.
  if (report === undefined || report.origin.get('module') !== undefined) return results;
  for (const one of report.cases) {
    const result = resultOf(one);
    const key = resultKey(one.file, one.name);
    if (result !== undefined && results.get(key) !== 'failed') results.set(key, result);
  }
  return results;
}

export function resultKey(file: string, name: string): string {
  return `${file} > ${printable(name)}`;
}

function resultOf({ state }: CaseReport): LastResult | undefined {
  if (state === 'passed') return 'passed';
  return state === 'failed' || state === 'error' ? 'failed' : undefined;
}

/** Names of the runs' folders, which are times, newest first. */
function runsOf(root: string): string[] {
  try {
    const names = readdirSync(join(root, 'results')).filter((name) => /^\d{4}-\d{2}-\d{2}T/.test(name));
    return names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true })).slice(0, runsMax);
  } catch {
    return []; // nothing ran yet
  }
}

function readReport(path: string): RunReport | undefined {
  try {
    return readJunit(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // a run that ended before it had tests
  }
}
