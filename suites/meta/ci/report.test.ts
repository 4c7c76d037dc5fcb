/** Reports and exit codes say what happened, also of a run that died or ran nothing. Method: made-up cases. */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { exitCodeOf, finish } from '../../../ci/report/finish.js';
import { pendingCase, type CaseReport, type CaseState } from '../../../ci/report/model.js';
import { quote, repeatRun, repeatUnitTest, wordsOf } from '../../../ci/report/repeat.js';
import { roundLines } from '../../../ci/report/flaky.js';
import { junitXml } from '../../../ci/report/junit.js';
import { createResultsDir } from '../../../ci/report/results.js';
import { ReportStore } from '../../../ci/report/store.js';
import { closingLine, median, summaryLines } from '../../../ci/report/summary.js';
import { duration, printable } from '../../../ci/report/text.js';
import { Progress } from '../../../ci/session/progress.js';
import { temporaryTree } from './temporary-tree.js';

let serial = 0;
function ended(state: CaseState, over: Partial<CaseReport> = {}): CaseReport {
  const id = `case ${++serial}`;
  return { ...pendingCase({ id, suite: 'cow', file: 'suites/cow/a.test.ts', name: id, specIds: [], repeat: 'again' }), state, ...over };
}

function storeOf(...cases: CaseReport[]): ReportStore {
  const store = new ReportStore(temporaryTree(), { kernel: '6.12' });
  store.add(...cases);
  return store;
}

function quietProgress(): Progress {
  return new Progress(new PassThrough() as unknown as NodeJS.WriteStream);
}

describe('exit codes', () => {
  test.for([
    [['passed', 'skipped'], 0],
    [['passed', 'failed'], 1],
    [['passed', 'error'], 3],
    [['error', 'failed'], 1],
    [['passed', 'pending'], 3],
  ] as const)('%j end with %i', ([states, expected]) => {
    expect(exitCodeOf(storeOf(...states.map((state) => ended(state))).report)).toBe(expected);
  });

  test('a run in which nothing ran is a failure of the rig, in the report too', () => {
    const store = storeOf(ended('skipped'));
    expect(finish(store, false, quietProgress())).toBe(3);
    expect(readFileSync(store.junitPath, 'utf8')).toContain('<error message="no test was executed" type="NothingRan">');
  });
});

describe('summary', () => {
  test('closes with one line of fixed form, in which rig errors and unfinished tests count as failed', () => {
    expect(closingLine([ended('passed'), ended('failed'), ended('error'), ended('pending'), ended('skipped')]))
      .toBe('1 passed, 3 failed, 1 skipped');
  });

  test('names each failure once with expected, seen, kernel messages and one repeat line', () => {
    const problem = { blame: 'product', isNamed: false, type: 'AssertionError', message: 'wrong', expected: '1', seen: '2', detail: '' } as const;
    const { report, junitPath } = storeOf(ended('failed', { name: 'promise', problems: [problem], klogTail: ['WARNING: x'], repeat: 'npm start -- x' }));
    expect(summaryLines(report, junitPath).slice(1, 7)).toEqual([
      'product failed: cow > promise', '  AssertionError: wrong', '  expected: 1', '  seen:     2', '  kernel: WARNING: x',
      '  repeat: npm start -- x',
    ]);
  });

  test('tells which tests failed in some rounds only, and how to repeat each of them', () => {
    const round = (at: number) => ({ label: `round ${at}`, facts: { round: String(at), seed: String(at * 10) } });
    const inRounds = (name: string, ...states: CaseState[]) => states.map((state, at) =>
      ended(state, { name, variant: round(at + 1), repeat: `again ${at + 1}` }));
    const { cases } = storeOf(...inRounds('steady', 'passed', 'passed', 'passed'), ...inRounds('flaky', 'passed', 'failed', 'skipped'),
      ...inRounds('broken', 'error', 'failed', 'failed'), ended('failed', { name: 'once' })).report;
    expect(roundLines(cases)).toEqual([
      '', 'flaky: cow > flaky: failed in 1 of 2 rounds', '  round 2, seed 20: again 2',
      '', 'always fails: cow > broken: failed in 3 of 3 rounds',
      '  round 1, seed 10: again 1', '  round 2, seed 20: again 2', '  round 3, seed 30: again 3',
    ]);
  });

  test('gives the median guest cost', () => {
    expect([median([]), median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([undefined, 2, 2.5]);
    const { report, junitPath } = storeOf(ended('passed', { restoreMs: [300, 400] }));
    expect(summaryLines(report, junitPath).join('\n')).toContain('median guest cost 350 ms');
  });
});

test('a variant of a test is shown behind its name, and its facts take the place of the run\'s', () => {
  const variant = { label: 'debug', facts: { flavour: 'debug' } };
  const store = new ReportStore(temporaryTree(), { kernel: '6.12.1', flavour: 'fast' }, { commit: 'abc' });
  store.add(ended('passed', { name: 'promise', variant, position: 7 }));
  const xml = junitXml(store.report);
  const [one = ''] = /<testcase .*<\/testcase>/s.exec(xml) ?? [];
  expect([...one.matchAll(/<property name="(.*)" value="(.*)"\/>/g)].map(([, name, value]) => `${name}=${value}`)).toEqual([
    'kernel=6.12.1', 'flavour=debug', 'variant=debug', 'file=suites/cow/a.test.ts', 'position=7',
  ]);
  expect(one).toContain('<testcase name="promise (debug)" classname="suites.cow.a" file="suites/cow/a.test.ts" time="0.000">');
  expect(xml).toMatch(/<testsuite [^>]*>\s*<properties>[^]*?<property name="commit" value="abc"\/>\s*<\/properties>\s*<testcase/);
});

describe('results', () => {
  test('two runs in one second get two folders, latest points at the newer, no temporary file stays', () => {
    const root = temporaryTree();
    const now = new Date('2026-01-02T03:04:05.678Z');
    const dirs = [createResultsDir(root, now), createResultsDir(root, now)];
    expect(dirs).toEqual([join(root, 'results/2026-01-02T03-04-05Z'), join(root, 'results/2026-01-02T03-04-05Z-2')]);
    expect(readlinkSync(join(root, 'results/latest'))).toBe('2026-01-02T03-04-05Z-2');
    expect(readdirSync(join(root, 'results'))).toHaveLength(3);
  });

  test('of shards have folders that do not meet', () => {
    const now = new Date('2026-01-02T03:04:05Z');
    expect(createResultsDir(temporaryTree(), now, { index: 2, count: 3 })).toMatch(/results\/2026-01-02T03-04-05Z-shard-2-of-3$/);
  });

  test('are shown on the page of a GitHub job, and one that cannot be written is told', () => {
    const path = join(temporaryTree(), 'summary.md');
    vi.stubEnv('GITHUB_STEP_SUMMARY', path);
    const problem = { blame: 'product', isNamed: false, type: 'AssertionError', message: 'wrong `bytes`', detail: '' } as const;
    const store = storeOf(ended('failed', { name: 'a|b <i>', specIds: ['COW-01'], problems: [problem], repeat: "npm start -- 'x'" }), ended('passed'));
    finish(store, false, quietProgress());
    const text = readFileSync(path, 'utf8');
    expect(text).toMatch(/^## 1 passed, 1 failed, 0 skipped\n/);
    expect(text).toContain('| cow | 1 | 1 | 0 | 0 | 0.0 s |');
    expect(text).toContain('**product failed: cow \\> a\\|b \\<i\\>** COW-01\n\n    AssertionError: wrong `bytes`\n    repeat: npm start -- \'x\'');
    vi.stubEnv('GITHUB_STEP_SUMMARY', '/nowhere/at/all');
    expect(finish(store, false, quietProgress())).toBe(1);
    vi.unstubAllEnvs();
  });

  test('a report that cannot be written is told at the end, and ends with 3', () => {
    const store = new ReportStore('/nowhere/at/all', {});
    store.add(ended('passed'));
    expect(finish(store, false, quietProgress())).toBe(3);
    expect(store.report.cases.at(-1)).toMatchObject({ name: 'the report is written', state: 'error' });
  });

  test('the file is there soon after a case is known, and says that it did not finish', async () => {
    const store = storeOf(ended('pending'));
    await expect.poll(() => existsSync(store.junitPath), { timeout: 3000 }).toBe(true);
    expect(readFileSync(store.junitPath, 'utf8')).toContain('<error message="did not finish"');
  });
});

test('text that no terminal or XML should get is shown by number', () => {
  expect(printable('a\u0000\u001b\ud800\uffff\u009b€\t\n')).toBe('a\\x00\\x1b\\ud800\\uffff\\x9b€\t\n');
});

test('durations read well', () => {
  expect([duration(0), duration(59_900), duration(59_999.9), duration(119_600)]).toEqual(['0.0 s', '59.9 s', '60.0 s', '2 min 0 s']);
});

test('repeat lines survive a shell', () => {
  expect(quote(`it's > "here" $x`)).toBe(`'it'\\''s > "here" $x'`);
  expect(repeatUnitTest('suites/meta/a.test.ts', 'group > 1 + 1 (two)')).toBe(
    `npm run unit -- suites/meta/a.test.ts -t 'group 1 \\+ 1 \\(two\\)'`);
  const words = wordsOf({ selection: ['last chunk'], specIds: ['COW-03'], exclude: ['the end'] });
  expect(repeatRun(words, { seed: 7, line: '6.12', flavour: 'fast', moduleDir: undefined })).toBe(
    `npm start -- 'last chunk' --spec COW-03 --exclude 'the end' --seed 7 --line 6.12 --flavour fast`);
});

test('elsewhere than on a terminal, progress is plain lines without escapes', () => {
  const stream = new PassThrough();
  const progress = new Progress(stream as unknown as NodeJS.WriteStream);
  const step = progress.step('build');
  step.update('CC a.o', 0.5);
  step.done('960 objects');
  progress.step('link').fail('no space');
  expect(String(stream.read()).replace(/[\d.]+ s/g, 'N s')).toBe('ok   build  960 objects  N s\nFAIL link  no space  N s\n');
});
