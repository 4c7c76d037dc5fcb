/** Which test killed a mutant is remembered as it was seen, and forgotten with the mutant. */
import { expect, test } from 'vitest';
import { killersText, parseKillers, withResults } from '../../../../ci/mutants/killers.js';
import type { MutantResult } from '../../../../ci/mutants/results.js';

const known = new Map([
  ['module/tail', 'suites/cow/a.test.ts > the tail'],
  ['systematic/a.c f: < becomes <=: if (a < b && "c: #d")', 'suites/cbt/b.test.ts > it\'s "all" marked: yes'],
  ['kernel/head', 'suites/cow/a.test.ts > the tail'],
]);

const result = (key: string, ...killedBy: string[]) => ({ mutant: { key }, killedBy }) as unknown as MutantResult;

test('what is written is read again, a test once', () => {
  const text = killersText(known);
  expect(parseKillers(text, 'k.yaml')).toEqual(known);
  expect(text.match(/test: suites\/cow\/a\.test\.ts > the tail$/gm)).toHaveLength(1);
});

test('the order in which they were seen changes nothing', () => {
  expect(killersText(new Map([...known].reverse()))).toBe(killersText(known));
});

test('a run adds and corrects, keeps what it did not kill, and what is no mutant any more is gone', () => {
  const keys = new Set(['module/tail', 'kernel/head', 'kernel/new', 'kernel/alive']);
  const results = [result('module/tail', 'x > y', 'x > z'), result('kernel/head'), result('kernel/new', 'x > n'), result('kernel/alive')];
  expect(withResults(known, results, keys)).toEqual(new Map([
    ['module/tail', 'x > y'], ['kernel/head', 'suites/cow/a.test.ts > the tail'], ['kernel/new', 'x > n']]));
});
