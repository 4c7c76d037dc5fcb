/** Words select suites, files, single tests or parts of names; unknown ones are refused. Method: a small known list. */
import { expect, test } from 'vitest';
import { commands } from '../../../ci/cli/commands.js';
import { UsageError } from '../../../ci/cli/exit-codes.js';
import { excludedBy, without } from '../../../ci/select/exclude.js';
import { listText } from '../../../ci/select/list.js';
import { selectBySpec } from '../../../ci/select/by-spec.js';
import { select } from '../../../ci/select/select.js';
import type { Collected, KnownTest } from '../../../ci/select/collect.js';

const known = (file: string, name: string, specIds: string[] = []): KnownTest =>
  ({ id: `${file}:${name}`, file, suite: file.split('/')[1] ?? '', name, specIds, moduleId: `/repo/${file}` });

const all: Collected = {
  tests: [
    known('suites/cbt/marks.test.ts', 'a write marks its block', ['CBT-02']),
    known('suites/cbt/marks.test.ts', 'a write marks its block on a partition'),
    known('suites/cow/image.test.ts', 'under load > the image stays'),
    known('suites/cow/chunks.test.ts', 'a write marks its block'),
  ],
  broken: [{ file: 'suites/attach/bad.test.ts', moduleId: '/repo/suites/attach/bad.test.ts', error: 'no such import' }],
};

test.for([
  ['cbt', 2],
  ['cbt/', 2],
  ['suites/cbt', 2],
  ['cow/image.test.ts', 1],
  ['suites/cow/image.test.ts', 1],
  ['cow/image', 1],
  ['image', 1],
  ['a write marks', 3],
  ['a write marks its block', 2],
  ['MARKS ITS', 3],
  ['suites/cbt/marks.test.ts > a write marks its block', 1],
  ['suites/cow/image.test.ts > under load > the image stays', 1],
  // As reports have it.
  ['cow > under load > the image stays', 1],
  ['cbt > a write marks its block', 1],
  ['cbt > marks its', 2],
] as const)('"%s" selects %i tests', ([word, expected]) => {
  expect(select([word], all).tests).toHaveLength(expected);
});

test('several words add up, each test once', () => {
  expect(select(['cow', 'image'], all).tests).toHaveLength(2);
});

test('no words select everything, also files that do not load', () => {
  expect(select([], all)).toEqual(all);
});

test('a broken file is selected by its suite, and by a test of it, so that it cannot hide', () => {
  expect(select(['attach'], all).broken).toHaveLength(1);
  expect(select(['attach/bad.test.ts > a test of it'], all).broken).toHaveLength(1);
});

test('an unknown word is refused with the nearest real name', () => {
  expect(() => select(['cwo'], all)).toThrow(UsageError);
  expect(() => select(['cwo'], all)).toThrow(/"cwo" is no suite, file or test name: did you mean cow/);
});

test.for([
  ['doctr', 'doctor'],
  ['mutant', 'mutants'],
  ['explor', 'explore or explorer'],
  ['specs', 'spec'],
  ['shel', 'shell'],
] as const)('"%s" as the first word may mean %s', ([word, expected]) => {
  const tests = [...all.tests, { ...known('suites/x/x.test.ts', 'x'), suite: 'explorer' }];
  expect(() => select([word], { ...all, tests }, { commands })).toThrow(new RegExp(`did you mean ${expected}( or |\\?)`));
  expect(() => select(['cow', word], { ...all, tests }, { commands })).not.toThrow(new RegExp(`did you mean ${expected}( or |\\?)`));
});

test('an unknown name within a file is refused with the nearest names of that file', () => {
  expect(() => select(['cbt/marks.test.ts > a write makes its blok'], all))
    .toThrow(/^"a write makes its blok" is no test of suites\/cbt\/marks\.test\.ts: did you mean a write marks its block or /);
  expect(() => select(['cow/image > a write marks its block'], all)).toThrow(/there is: under load > the image stays$/);
  expect(() => select(['cbt > a write makes its blok'], all)).toThrow(/ is no test of cbt: did you mean a write marks its block or /);
});

test.for([['CBT-02', 'CBT-02'], ['cbt-02', 'CBT-02'], ['CBT', 'CBT']] as const)('an id of the spec as a word, %s, is refused with --spec', ([word, id]) => {
  expect(() => select([word], all)).toThrow(new RegExp(`use --spec ${id}$`));
});

test('a part of a name leaves long tests out, unless they are wanted or there are no others', () => {
  const long = known('suites/faults/io.long.test.ts', 'a write marks its block at each place');
  const other = known('suites/faults/io.long.test.ts', 'each write fails');
  const withLong = { ...all, tests: [...all.tests, long, other] };
  const names = (word: string, isLong = false) => select([word], withLong, { long: isLong }).tests.map(({ name }) => name);
  expect(names('a write marks')).toHaveLength(3);
  expect(names('a write marks', true)).toHaveLength(4);
  expect(names('at each place')).toEqual([long.name]);
  expect(names(other.name)).toEqual([other.name]);
  expect(names('faults')).toHaveLength(2);
  expect(names('io.long')).toHaveLength(2);
  expect(names('faults/io.long.test.ts > write')).toHaveLength(2);
});

test('the list shows suites, files, names and spec ids', () => {
  expect(listText(all).split('\n')).toEqual([
    'cbt (2 tests)',
    '  suites/cbt/marks.test.ts',
    '    a write marks its block  [CBT-02]',
    '    a write marks its block on a partition',
    'cow (2 tests)',
    '  suites/cow/image.test.ts',
    '    under load > the image stays',
    '  suites/cow/chunks.test.ts',
    '    a write marks its block',
    'does not load: suites/attach/bad.test.ts: no such import',
    '4 tests',
  ]);
});

test('an id of the spec selects the tests that name it, within what was selected', () => {
  expect(selectBySpec(['CBT-02'], all).tests).toHaveLength(1);
  expect(selectBySpec(['cbt-02'], all).tests).toHaveLength(1);
  expect(selectBySpec(['cbt'], all).tests).toHaveLength(1);
  expect(selectBySpec([], all).tests).toHaveLength(4);
  expect(() => selectBySpec(['CBT-03'], all)).toThrow(/no selected test names the id "CBT-03": did you mean CBT-02/);
  expect(() => selectBySpec(['CBT-02'], select(['cow'], all))).toThrow(UsageError);
});

test('what is excluded does not run, and is known by the first word that names it; a word that names nothing is refused', () => {
  const excluded = excludedBy(['cbt/marks', 'a write marks its block'], all);
  expect([...excluded.values()].sort()).toEqual(['a write marks its block', 'cbt/marks', 'cbt/marks']);
  expect(without(all, excluded)).toEqual({ tests: all.tests.filter(({ file }) => file === 'suites/cow/image.test.ts'), broken: all.broken });
  expect(() => excludedBy(['cwo'], all)).toThrow(UsageError);
});
