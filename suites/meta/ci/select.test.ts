/** Words select suites, files, single tests or parts of names; unknown ones are refused. Method: a small known list. */
import { expect, test } from 'vitest';
import { UsageError } from '../../../ci/cli/exit-codes.js';
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
  expect(selectBySpec([], all).tests).toHaveLength(4);
  expect(() => selectBySpec(['CBT-03'], all)).toThrow(/no selected test names the id "CBT-03": did you mean CBT-02/);
  expect(() => selectBySpec(['CBT-02'], select(['cow'], all))).toThrow(UsageError);
});
