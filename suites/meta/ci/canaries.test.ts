/** Canaries are chosen by the seed, judged strictly, and each entry of the list means one bug and one test. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { inTurn, usualCanaries } from '../../../ci/canaries/choose.js';
import { announce, judge } from '../../../ci/canaries/fly.js';
import { parseCanaries, readCanaries, type Canary } from '../../../ci/canaries/load.js';
import { pendingCase, type CaseReport } from '../../../ci/report/model.js';
import { createResultsDir } from '../../../ci/report/results.js';
import { ReportStore } from '../../../ci/report/store.js';
import type { KnownTest } from '../../../ci/select/collect.js';
import { temporaryFolder } from '../../../vm/index.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const names = Array.from({ length: 10 }, (_, at) => ({ mutant: { name: `module/m${at}` } }));

test('a run of few tests carries none, a large one two', () => {
  expect([1, 19, 20, 900].map(usualCanaries)).toEqual([0, 0, 2, 2]);
});

test('the seed decides whose turn it is, and over many seeds all have theirs', () => {
  const order = (seed: number) => inTurn(names, seed).map(({ mutant }) => mutant.name);
  expect(order(7)).toEqual(order(7));
  expect([...order(7)].sort()).toEqual(names.map(({ mutant }) => mutant.name).sort());
  expect(new Set(Array.from({ length: 200 }, (_, seed) => order(seed)[0])).size).toBe(names.length);
});

const test1: KnownTest = { id: 't', file: 'suites/cow/x.test.ts', suite: 'cow', name: 'x', specIds: ['COW-01'], moduleId: '/x' };
const canary = { mutant: { name: 'module/m', breaks: 'the image is wrong.', specIds: ['COW-01'] }, test: test1 } as unknown as Canary;
const choices = { seed: 7, line: '6.12', flavour: 'fast', moduleDir: '/m' };
const fresh = (state: CaseReport['state'] = 'pending'): CaseReport =>
  ({ ...pendingCase({ id: 'c', suite: 'canaries', file: '', name: '', specIds: [], repeat: '' }), state });

test.for([
  ['failed', 'passed'],
  ['passed', 'failed'],
  ['error', 'error'],
  ['skipped', 'error'],
  ['pending', 'error'],
] as const)('when its test has %s, the canary has %s', ([seen, verdict]) => {
  const target = fresh();
  judge(target, canary, fresh(seen), choices);
  expect(target).toMatchObject({
    state: verdict, name: 'module/m is caught by suites/cow/x.test.ts > x',
    repeat: 'npm start -- mutants module/m --seed 7 --line 6.12 --flavour fast',
  });
  if (verdict !== 'passed') expect(target.problems).toHaveLength(1);
});

test('a canary that is not caught says what is wrong with the module', () => {
  const target = fresh();
  judge(target, canary, fresh('passed'), choices);
  expect(target.problems[0]?.message).toContain('passes on a module where this is wrong: the image is wrong.');
});

test('a test that is not there says nothing of the bug', () => {
  const target = fresh();
  judge(target, canary, undefined, choices);
  expect(target.state).toBe('error');
});

test('they are in the report before anything runs, so that one that never flies is seen', () => {
  const folder = temporaryFolder('canaries-');
  const store = new ReportStore(createResultsDir(folder, new Date(0)), {});
  expect(announce(2, store, choices)).toHaveLength(2);
  expect(store.report.cases.map(({ state }) => state)).toEqual(['pending', 'pending']);
  expect(store.report.cases[0]?.repeat).toBe('npm start -- --canaries 2 --seed 7 --line 6.12 --flavour fast --module /m');
});

test('the list needs both fields', () => {
  expect(() => parseCanaries('canaries:\n  - mutant: module/x\n', 'c.yaml')).toThrow(/c\.yaml/);
  expect(parseCanaries('canaries:\n  - mutant: module/x\n    test: a > b\n', 'c.yaml')).toEqual([{ mutant: 'module/x', test: 'a > b' }]);
});

test('an entry whose test is not there, or proves something else, is refused', () => {
  expect(() => readCanaries(root, { tests: [test1], broken: [] })).toThrow(/suites\/canaries\.yaml/);
});
