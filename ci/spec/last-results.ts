/** How each test ended in the newest run, read back from its junit.xml (as ci/report/junit.ts writes it). */
import { readFileSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { printable } from '../report/text.js';
import { unescaped } from '../report/xml.js';

/** `not run` is also a test that was skipped or did not finish: it proves nothing. */
export type LastResult = 'passed' | 'failed' | 'not run';

export interface LastRun {
  /** Report that was read, from the root of the repository; undefined when no run left one. */
  readonly from: string | undefined;
  resultOf(file: string, name: string): LastResult;
}

export function readLastRun(root: string): LastRun {
  const path = join(root, 'results/latest/junit.xml');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw error;
    return { from: undefined, resultOf: () => 'not run' };
  }
  const results = parseResults(text);
  return {
    from: relative(realpathSync(root), realpathSync(path)),
    resultOf: (file, name) => results.get(resultKey(file, name)) ?? 'not run',
  };
}

const rank: Readonly<Record<LastResult, number>> = { passed: 0, 'not run': 1, failed: 2 };

/** Pure: JUnit to results. Of several tests with one name the worst counts. */
export function parseResults(junit: string): Map<string, LastResult> {
  const results = new Map<string, LastResult>();
  // Attributes and text hold no bare < or >, so tags can be told by their ends.
  for (const [, attributes = '', body = ''] of junit.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const name = /\bname="([^"]*)"/.exec(attributes)?.[1];
    const file = /<property name="file" value="([^"]*)"\/>/.exec(body)?.[1];
    if (name === undefined || file === undefined) continue;
    const key = resultKey(unescaped(file), unescaped(name));
    const known = results.get(key) ?? 'passed';
    const result = outcome(body);
    results.set(key, rank[result] > rank[known] ? result : known);
  }
  return results;
}

export function resultKey(file: string, name: string): string {
  return `${file} > ${printable(name)}`;
}

function outcome(body: string): LastResult {
  if (/<skipped\b/.test(body) || /<error [^>]*\btype="Unfinished"/.test(body)) return 'not run';
  return /<(failure|error)\b/.test(body) ? 'failed' : 'passed';
}
