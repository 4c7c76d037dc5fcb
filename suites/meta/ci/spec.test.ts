/** The table of promises: mistakes in it are found where they are, every id is matched with its tests and their last
 *  results, and what is unknown or unproved is told. Method: small tables, made-up tests, our own JUnit read back. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { junitXml } from '../../../ci/report/junit.js';
import { pendingCase, type CaseReport } from '../../../ci/report/model.js';
import type { Collected, KnownTest } from '../../../ci/select/collect.js';
import { specCheck, specFindings } from '../../../ci/spec/check.js';
import { readLastResults, type LastResult, type LastResults } from '../../../ci/spec/last-results.js';
import { parseSpec, readSpec } from '../../../ci/spec/load.js';
import { specExitCode, specJson, specReport } from '../../../ci/spec/report.js';
import { specText } from '../../../ci/spec/text.js';
import { temporaryTree } from './temporary-tree.js';

const table = `strict: false
behaviours:
  FLT-01:
    where: kernel
    sentence: A filter is attached.
  COW-01:
    where: module
    sentence: >-
      The image stays
      as it was.
  INT-01:
    where: kernel
    later: true
    reason: it is not built yet
    sentence: It serves linear.
`;
const spec = parseSpec(table, 'spec.yaml');
const strict = parseSpec(table.replace('strict: false', 'strict: true'), 'spec.yaml');

const known = (name: string, specIds: string[], file = 'suites/cow/image.test.ts'): KnownTest =>
  ({ id: name, file, suite: 'cow', name, specIds, moduleId: `/repo/${file}` });

const all = (...tests: KnownTest[]): Collected => ({ tests, broken: [] });
const noRun: LastResults = { endOf: () => ({ result: 'not run', from: undefined }) };
const lastOf = (results: Readonly<Record<string, LastResult>>): LastResults => ({
  endOf: (_, name) => ({ result: results[name] ?? 'not run', from: name in results ? 'results/x/junit.xml' : undefined }),
});

describe('the table', () => {
  test('is read with ids, places, sentences and reasons', () => {
    expect(spec).toEqual({
      isStrict: false,
      behaviours: [
        { id: 'FLT-01', where: 'kernel', sentence: 'A filter is attached.', laterReason: undefined },
        { id: 'COW-01', where: 'module', sentence: 'The image stays as it was.', laterReason: undefined },
        { id: 'INT-01', where: 'kernel', sentence: 'It serves linear.', laterReason: 'it is not built yet' },
      ],
    });
  });

  test.for([
    ['strict: false', 'strict: maybe', 1, 'true or false'],
    ['strict: false', 'strict: false\nother: 1', 2, 'strict, behaviours'],
    ['strict: false\n', '', 1, 'a field strict'],
    ['  FLT-01:', '  FLT-1:', 3, 'an id such as COW-01'],
    ['  COW-01:', '  FLT-01:', 6, 'YAML'],
    ['where: kernel', 'where: driver', 4, 'kernel, module or both'],
    ['    where: kernel\n', '', 4, 'a field where'],
    ['A filter is attached.', 'A filter is attached', 5, 'a sentence that ends with a full stop'],
    ['    where: kernel\n    sentence: A filter is attached.\n', '', 3, 'a map with where, sentence'],
    ['    reason: it is not built yet\n', '', 13, 'a reason beside later'],
    ['    later: true\n', '', 13, 'a reason only beside later: true'],
    ['    later: true\n', '    laater: true\n', 13, 'where, sentence, later, reason'],
    [table.slice(table.indexOf('\n') + 1), 'behaviours: {}\n', 2, 'at least one behaviour'],
    [table, '', 1, 'a map with strict, behaviours'],
  ] as const)('with %j as %j is refused at line %i', ([from, to, line, expected]) => {
    expect(table).toContain(from);
    expect(() => parseSpec(table.replace(from, to), 'spec.yaml')).toThrow(expect.objectContaining({ file: 'spec.yaml', line, expected }));
  });

  test('of this project is whole: nine groups, each numbered without a gap', () => {
    const { behaviours } = readSpec(fileURLToPath(new URL('../../../', import.meta.url)));
    const groups = [...new Set(behaviours.map(({ id }) => id.slice(0, 3)))];
    expect(groups).toEqual(['FLT', 'CBT', 'COW', 'DIF', 'IMG', 'SNP', 'EVT', 'ABI', 'INT']);
    for (const group of groups) {
      const ids = behaviours.map(({ id }) => id).filter((id) => id.startsWith(group));
      expect(ids).toEqual(ids.map((_, index) => `${group}-${String(index + 1).padStart(2, '0')}`));
    }
    expect(behaviours.filter(({ laterReason }) => laterReason !== undefined).every(({ id }) => id.startsWith('INT-'))).toBe(true);
  });

  test('that is not there is told by its name', () => {
    expect(() => readSpec(temporaryTree())).toThrow(/suites\/spec\.yaml:1: expected a readable file, found ENOENT/);
  });
});

describe('last results', () => {
  const ended = (name: string, state: CaseReport['state'], more: Partial<CaseReport> = {}): CaseReport => {
    const one = pendingCase({ id: name, suite: 'cow', file: 'suites/cow/a.test.ts', name, specIds: ['COW-01'], repeat: 'npm start' });
    return { ...one, state, ...more };
  };
  const problem = { blame: 'product', isNamed: true, type: 'Error', message: '</testcase> <skipped/>', detail: '' } as const;
  const report = (cases: CaseReport[], origin: Record<string, string> = {}) =>
    junitXml({ startedAt: new Date(0), wallMs: 0, properties: new Map(), origin: new Map(Object.entries(origin)), cases });
  const lastIn = (...runs: string[]) => readLastResults(temporaryTree(
    Object.fromEntries(runs.map((text, at) => [`results/2026-01-02T03-04-0${at}Z/junit.xml`, text]))));
  const resultOf = (last: LastResults, name: string) => last.endOf('suites/cow/a.test.ts', name);
  const run = (at: number) => `results/2026-01-02T03-04-0${at}Z/junit.xml`;

  test('are read back from our own JUnit', () => {
    const names = ['a "quoted" & <tagged> name/>', 'b\tc\u0001', 'fails', 'rig breaks', 'skipped', 'unfinished'] as const;
    const last = lastIn(report([
      ended(names[0], 'passed'),
      ended(names[1], 'passed', { restoreMs: [3] }),
      ended(names[2], 'failed', { problems: [problem] }),
      ended(names[3], 'error', { problems: [{ ...problem, blame: 'rig' }] }),
      ended(names[4], 'skipped', { skipReason: '<failure' }),
      ended(names[5], 'pending'),
    ]));
    expect(names.map((name) => resultOf(last, name).result)).toEqual(['passed', 'passed', 'failed', 'failed', 'not run', 'not run']);
  });

  test('of several rounds or flavours of one test are the worst', () => {
    const variant = { label: 'round 2', facts: { round: '2' } };
    const last = lastIn(report([ended('a', 'failed', { problems: [problem], variant }), ended('a', 'passed')]));
    expect(resultOf(last, 'a').result).toBe('failed');
  });

  test('are "not run" when nothing ran yet, or the test was in no run', () => {
    expect(resultOf(readLastResults(temporaryTree()), 'a')).toEqual({ result: 'not run', from: undefined });
    const last = lastIn(report([ended('a', 'passed')]));
    expect(resultOf(last, 'a')).toEqual({ result: 'passed', from: run(0) });
    expect(last.endOf('suites/cow/b.test.ts', 'a').result).toBe('not run');
  });

  test('are of the newest run that has the test, though newer ones ran others', () => {
    const last = lastIn(report([ended('a', 'failed', { problems: [problem] }), ended('b', 'passed')]), report([ended('a', 'passed')]),
      report([ended('c', 'passed')]));
    expect(['c', 'b', 'a'].map((name) => resultOf(last, name))).toEqual([
      { result: 'passed', from: run(2) }, { result: 'passed', from: run(0) }, { result: 'passed', from: run(1) },
    ]);
  });

  test('are not those of a run that skipped the test, did not finish, tried another module, or left half a report', () => {
    const last = lastIn(report([ended('a', 'passed')]), report([ended('a', 'skipped', { skipReason: 'x' })]), report([ended('a', 'pending')]),
      report([ended('a', 'failed', { problems: [problem] })], { module: '../other' }), '<testsuites name="blksnap-suite" tests="1">');
    expect(resultOf(last, 'a')).toEqual({ result: 'passed', from: run(0) });
  });
});

describe('the report', () => {
  const tests = [known('stays', ['COW-01', 'COW-01']), known('stays under load', ['COW-01']), known('of no promise', [])];
  const last = lastOf({ stays: 'passed' });

  test('names each id, its sentence, its tests and how they ended', () => {
    expect(specText(specReport(spec, all(...tests), last)).split('\n')).toEqual([
      'FLT-01 (kernel) A filter is attached.',
      '  no test proves it',
      'COW-01 (module) The image stays as it was.',
      '  2 tests, last result: 1 passed, 1 not run',
      '    passed   suites/cow/image.test.ts > stays',
      '    not run  suites/cow/image.test.ts > stays under load',
      'INT-01 (kernel) It serves linear.',
      '  later: it is not built yet',
      '',
      'group      ids    tests   passed   failed  not run  no test',
      'FLT          1        0        0        0        0        1',
      'COW          1        2        0        0        1        0',
      'INT          1        0        0        0        0        1',
      '',
      'last results: results/x/junit.xml (1 test)',
      '1 more ids come later: INT-01',
      '2 ids, 1 proved, 1 unproved: FLT-01',
    ]);
  });

  test('as JSON says the same', () => {
    expect(JSON.parse(specJson(specReport(spec, all(...tests), last)))).toMatchObject({
      ids: 2, proved: 1, unproved: ['FLT-01'], unknown: [], broken: [], runs: [{ from: 'results/x/junit.xml', tests: 1 }],
      behaviours: [
        { id: 'FLT-01', where: 'kernel', later: null, tests: [], result: 'not run' },
        { id: 'COW-01', tests: [{ name: 'stays', result: 'passed' }, { name: 'stays under load', result: 'not run' }], result: 'not run' },
        { id: 'INT-01', later: 'it is not built yet' },
      ],
    });
  });

  test.for([
    ['every due id has a test', all(known('a', ['FLT-01', 'COW-01'])), 0, '2 ids, 2 proved, 0 unproved'],
    ['an id that comes later has one too', all(known('a', ['FLT-01', 'COW-01', 'INT-01'])), 0, '3 ids, 3 proved, 0 unproved'],
    ['an id has none', all(known('a', ['FLT-01'])), 1, '2 ids, 1 proved, 1 unproved: COW-01'],
    ['there are no tests', all(), 1, '2 ids, 0 proved, 2 unproved: FLT-01 COW-01'],
    ['a test names an unknown id', all(known('a', ['FLT-01', 'COW-01', 'COW-99'])), 1, '2 ids, 2 proved, 0 unproved'],
  ] as const)('when %s', ([, collected, code, closing]) => {
    const report = specReport(spec, collected, noRun);
    expect(specExitCode(report)).toBe(code);
    expect(specText(report).split('\n').at(-1)).toBe(closing);
  });

  test('blames the rig when a test file does not load, since its tests are missing', () => {
    const report = specReport(spec, { tests: [], broken: [{ file: 'a.test.ts', moduleId: '/a', error: 'no such import' }] }, noRun);
    expect(specExitCode(report)).toBe(3);
    expect(specText(report)).toContain('does not load: a.test.ts: no such import');
  });

  test('names the run of a result that the newest run does not have', () => {
    const mixed: LastResults = { endOf: (_, name) => ({ result: 'passed', from: `results/${name === 'stays' ? '2' : '1'}/junit.xml` }) };
    const lines = specText(specReport(spec, all(...tests), mixed)).split('\n');
    expect(lines).toContain('    passed   suites/cow/image.test.ts > stays');
    expect(lines).toContain('    passed   suites/cow/image.test.ts > stays under load  (1)');
    expect(lines).toContain('last results: results/2/junit.xml (1 test)');
    expect(lines).toContain('     not in it: results/1/junit.xml (1 test)');
  });

  test.for([
    [['COW-01'], ['COW-01']],
    [['cow'], ['COW-01']],
    [['FLT', 'INT-01'], ['FLT-01', 'INT-01']],
  ] as const)('of %j is of %j alone, and so is its exit code', ([words, ids]) => {
    const report = specReport(spec, all(...tests), last, words);
    expect(report.proofs.map(({ id }) => id)).toEqual(ids);
    expect(specExitCode(report)).toBe(ids.some((id) => id === 'FLT-01') ? 1 : 0);
  });

  test('of a word that is no id and no group is refused with the nearest', () => {
    expect(() => specReport(spec, all(...tests), last, ['CWO'])).toThrow(/"CWO" is no id or group of the table: did you mean COW/);
  });

  test('shows one failed test as a failed id', () => {
    const report = specReport(spec, all(...tests), lastOf({ stays: 'failed', 'stays under load': 'passed' }));
    expect(report.proofs.find(({ id }) => id === 'COW-01')?.result).toBe('failed');
    expect(specText(report)).toContain('2 tests, last result: 1 failed, 1 passed');
  });
});

describe('the step of npm test', () => {
  const unknown = 'suites/cow/image.test.ts: "a" names COW-99, which suites/spec.yaml does not have';
  const unproved = 'suites/spec.yaml: no test proves FLT-01';

  test.for([
    ['an unknown id always', spec, ['COW-01', 'COW-99'], [unknown]],
    ['an unknown and an unproved id when strict', strict, ['COW-01', 'COW-99'], [unknown, unproved]],
    ['nothing when all is proved', strict, ['COW-01', 'FLT-01'], []],
    ['nothing about an id that comes later', strict, ['FLT-01', 'COW-01', 'INT-01'], []],
  ] as const)('finds %s', ([, one, ids, findings]) => {
    expect(specFindings(one, [known('a', [...ids])])).toEqual(findings);
  });

  test('tells ids without a test also when it passes', async () => {
    const told: string[] = [];
    const check = specCheck(temporaryTree({ 'suites/spec.yaml': table }), all(known('a', ['COW-01'])), (line) => told.push(line));
    expect(await check.run(() => undefined)).toEqual([]);
    expect(told).toEqual(['1 spec ids without a test: FLT-01']);
  });
});
