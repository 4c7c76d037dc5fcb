/** Planted bugs: a wrong head is told where it is wrong, words find mutants, and the verdict says no more than was seen.
 *  Method: small texts and made-up outcomes; and the heads of the mutants that this project has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../ci/cli/exit-codes.js';
import { parseHead } from '../../../ci/mutants/head.js';
import { readMutants, selectMutants } from '../../../ci/mutants/load.js';
import { parseMutantsCli } from '../../../ci/mutants/options.js';
import { applyToCase, mutantCase, mutantsCount, mutantsJson, mutantsTable } from '../../../ci/mutants/results.js';
import { mutantsCheck, refreshMutants } from '../../../ci/mutants/refresh.js';
import { resultOf, type Trial } from '../../../ci/mutants/trial.js';
import { judge, type Evidence } from '../../../ci/mutants/verdict.js';
import { pendingCase, type CaseReport, type CaseState } from '../../../ci/report/model.js';
import { Progress } from '../../../ci/session/progress.js';
import { readSpec } from '../../../ci/spec/load.js';
import { temporaryTree } from './temporary-tree.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const choices = { seed: 7, line: '6.12', flavour: 'debug', moduleDir: '/m', driver: 'vng' };
const ids = new Set(['COW-01', 'COW-03', 'CBT-02']);
const patch = `Breaks: the tail is lost,
  and nobody knows.
For whom: everybody.
How bad: silent.
Spec: COW-03 COW-01

diff --git a/module/x.c b/module/x.c
`;

describe('a head', () => {
  test('is read, with lines that go on', () => {
    expect(parseHead(patch, 'm.patch', ids)).toEqual({
      breaks: 'the tail is lost, and nobody knows.', forWhom: 'everybody.', howBad: 'silent.', specIds: ['COW-03', 'COW-01'],
    });
  });

  test.for([
    ['COW-01', 'COW-99', 5, '"COW-99"'],
    ['COW-03 COW-01', 'COW-01 COW-01', 5, 'COW-01 COW-01'],
    ['Spec: COW-03 COW-01\n', '', 6, 'none'],
    ['Spec: COW-03 COW-01', 'Spec:', 5, 'none'],
    ['How bad: silent.\n', '', 6, 'none'],
    ['For whom: everybody.', 'For whom:', 3, 'none'],
    ['How bad:', 'How worse:', 4, '"How worse: silent."'],
    ['How bad: silent.', 'Breaks: more.', 4, 'it a second time'],
    ['Breaks: the tail', 'the tail', 1, '"the tail is lost,"'],
    ['diff --git', 'diff', 8, 'none'],
  ] as const)('with %j as %j is refused at line %i', ([from, to, line, found]) => {
    expect(patch).toContain(from);
    expect(() => parseHead(patch.replace(from, to), 'm.patch', ids)).toThrow(expect.objectContaining({
      file: 'm.patch', line, message: expect.stringContaining(`found ${found}`) as string,
    }));
  });
});

describe('mutants', () => {
  const tree = (more: Readonly<Record<string, string>> = {}) => temporaryTree({
    'suites/mutants/module/tail.patch': patch,
    'suites/mutants/module/long-tail.patch': patch.replace('COW-03 COW-01', 'CBT-02'),
    'suites/mutants/kernel/head.patch': patch,
    ...more,
  });
  const behaviours = [...ids].map((id) => ({ id, sentence: '.', where: 'both', laterReason: undefined }) as const);

  test.for([
    [[], ['module/long-tail', 'module/tail', 'kernel/head']],
    [['module'], ['module/long-tail', 'module/tail']],
    [['tail'], ['module/tail']],
    [['ail'], ['module/long-tail', 'module/tail']],
    [['suites/mutants/kernel/head.patch'], ['kernel/head']],
    [['COW-03'], ['module/tail', 'kernel/head']],
    [['cow-03'], ['module/tail', 'kernel/head']],
    [['CBT'], ['module/long-tail']],
    [['kernel', 'CBT-02'], ['module/long-tail', 'kernel/head']],
  ] as const)('are found by %j', ([words, names]) => {
    expect(selectMutants(words, readMutants(tree(), { behaviours })).map(({ name }) => name)).toEqual(names);
  });

  test('that do not exist are told, with the nearest', () => {
    expect(() => selectMutants(['talk'], readMutants(tree(), { behaviours }))).toThrow(UsageError);
    expect(() => selectMutants(['module/tall'], readMutants(tree(), { behaviours }))).toThrow(/did you mean module\/tail/);
  });

  test('of this project have right heads, and cover every group', () => {
    const mutants = readMutants(root, readSpec(root));
    const named = new Set(mutants.flatMap(({ specIds }) => specIds));
    expect([...new Set([...named].map((id) => id.slice(0, 3)))].sort()).toEqual(['ABI', 'CBT', 'COW', 'DIF', 'EVT', 'FLT', 'IMG', 'SNP']);
  });
});

describe('a patch', () => {
  const spec = 'strict: false\nbehaviours:\n  COW-01: {where: module, sentence: The image stays.}\n';
  const head = patch.slice(0, patch.indexOf('diff')).replace('COW-03 COW-01', 'COW-01');
  const diff = (at: number, before: string, after: string) =>
    `diff --git a/module/a.c b/module/a.c\n--- a/module/a.c\n+++ b/module/a.c\n@@ -${at},3 +${at},3 @@\n ${before}\n-sound\n+broken\n ${after}\n`;
  const tree = (text: string) => temporaryTree({
    'suites/spec.yaml': spec, 'module/a.c': 'zero\none\ntwo\nsound\nthree\n', 'suites/mutants/module/a.patch': head + text });
  const patchIn = (folder: string) => readFileSync(join(folder, 'suites/mutants/module/a.patch'), 'utf8');
  const check = (folder: string) => mutantsCheck(folder, 'module', { moduleDir: join(folder, 'module') }).run(() => undefined);
  const refresh = (folder: string) => refreshMutants(readMutants(folder, readSpec(folder)), { moduleDir: join(folder, 'module') }, new Progress());

  test('that applies is no finding, wherever its lines are by now, and the code stays as it is', async () => {
    const folder = tree(diff(2, 'two', 'three'));
    expect(await check(folder)).toEqual([]);
    expect(readFileSync(join(folder, 'module/a.c'), 'utf8')).toBe('zero\none\ntwo\nsound\nthree\n');
  });

  test('that does not apply is a finding with the command to refresh it, which writes it anew where it can', async () => {
    const folder = tree(`diff --git a/module/a.c b/module/a.c\n--- a/module/a.c\n+++ b/module/a.c\n@@ -2,4 +2,4 @@\n was\n two\n-sound\n+broken\n three\n`);
    expect(await check(folder)).toEqual([expect.stringMatching(/module\/a no longer applies: the hunk for module\/a\.c:2 .*mutants module\/a --refresh/s)]);
    expect(await refresh(folder)).toBe(0);
    expect(await check(folder)).toEqual([]);
    expect(patchIn(folder)).toContain(head);
    expect(patchIn(folder)).toContain(' one\n two\n-sound\n+broken\n three\n');
  });

  test('that fits nowhere is left alone', async () => {
    const folder = tree(diff(2, 'nine', 'ten'));
    const before = patchIn(folder);
    expect(await refresh(folder)).toBe(3);
    expect(patchIn(folder)).toBe(before);
  });
});

describe('the command line', () => {
  test('has options of its own among those of npm start', () => {
    expect(parseMutantsCli(['tail', '--all', '--jobs', '1', '--also', 'cow', '--also=cbt', '--spec', 'COW-01']))
      .toMatchObject({ selection: ['tail'], all: true, refresh: false, also: ['cow', 'cbt'], jobs: 1, specIds: ['COW-01'] });
  });

  test.for([[['--also'], /--also takes/], [['--also', '--all'], /--also takes/], [['--repeat', '2'], /--repeat/], [['spec'], /got "spec"/],
    [['--refresh=1'], /--refresh takes no value/], [['--long'], /no --long/], [['--canaries', '2'], /no --canaries/]] as const)(
    '%j is refused', ([words, message]) => {
      expect(() => parseMutantsCli(words)).toThrow(UsageError);
      expect(() => parseMutantsCli(words)).toThrow(message);
    });
});

const ended = (name: string, specIds: readonly string[], state: CaseState): CaseReport =>
  ({ ...pendingCase({ id: name, suite: 'cow', file: 'suites/cow/a.test.ts', name, specIds, repeat: '' }), state });

const own = (state: CaseState, name = 'own') => ended(name, ['COW-01', 'CBT-02'], state);
const other = (state: CaseState) => ended('other', ['IMG-01'], state);

describe('the verdict', () => {
  const says = (cases: readonly CaseReport[], more: Partial<Evidence> = {}) =>
    judge({ specIds: ['COW-01'], cases, failAnyway: new Set(), isWhole: true, ...more });

  test.for([
    ['a test of the id fails', [own('failed'), other('passed')], 'killed', true],
    ['others fail too', [own('failed'), other('failed')], 'killed', false],
    ['only others fail', [own('passed'), other('failed')], 'survived', false],
    ['all pass', [own('passed'), other('passed')], 'survived', false],
    ['the test of the id is skipped', [own('skipped'), other('passed')], 'survived', false],
    ['no test names the id', [other('passed')], 'survived', false],
    ['the rig fails in the test of the id', [own('error'), other('passed')], 'unknown', undefined],
    ['the rig fails elsewhere', [own('failed'), other('error')], 'killed', undefined],
    ['the test of the id did not end', [own('pending')], 'unknown', undefined],
    ['others did not end', [own('failed'), other('pending')], 'killed', undefined],
  ] as const)('when %s', ([, cases, verdict, isExact]) => {
    expect(says(cases)).toMatchObject({ verdict, isExact });
  });

  test('names the tests, and those that name an id and passed', () => {
    expect(says([own('failed'), own('passed', 'second'), other('failed')])).toMatchObject({
      killedBy: ['suites/cow/a.test.ts > own'],
      passed: ['suites/cow/a.test.ts > second'],
      alsoFailed: ['suites/cow/a.test.ts > other'],
    });
  });

  test('does not count a test that fails without the mutant too', () => {
    const cases = [own('failed'), own('passed', 'second')];
    expect(says(cases, { failAnyway: new Set(['own']) })).toMatchObject({ verdict: 'unknown', killedBy: [], unsure: ['suites/cow/a.test.ts > own'] });
    expect(says([...cases, own('failed', 'third')], { failAnyway: new Set(['own']) })).toMatchObject({ verdict: 'killed' });
  });

  test('says nothing of exactness when not every test ran', () => {
    expect(says([own('failed')], { isWhole: false }).isExact).toBeUndefined();
  });
});

describe('the report', () => {
  const mutant = { name: 'module/tail', key: 'module/tail', kind: 'module', file: 'suites/mutants/module/tail.patch', path: '/p', ...parseHead(patch, 'm', ids) } as const;
  const result = (cases: readonly CaseReport[] | undefined, isWhole = true, sight?: Trial['sight']) => resultOf({
    mutant, run: cases && { cases, killedAfterMs: 1500 }, broken: cases ? undefined : 'does not fit\nrefresh', isUncompiled: false, sight, wallMs: 2000,
  }, new Set(), isWhole);

  test('shows who killed it after how long, who else failed, and what survived', () => {
    expect(mutantsTable([result([own('failed'), own('failed', 'two')]), result([own('passed'), other('failed')]), result(undefined)])).toEqual([
      'mutant       ids            after  killed by',
      'module/tail  COW-03 COW-01  1.5 s  cow/a.test.ts > own (and 1 more)',
      '  exactly tests of its ids failed',
      'module/tail  COW-03 COW-01         **survived**: 1 tests of its ids passed',
      '  1 failed though they name none of its ids:',
      '    cow/a.test.ts > other',
      '  1 name an id, reach it, and passed:',
      '    cow/a.test.ts > own',
      'module/tail  COW-03 COW-01         broken: does not fit',
    ]);
  });

  test('shows how many tests could see it, where others were left out', () => {
    const sight = { total: 590, seeing: 37, own: 9, ownSeeing: 3 };
    expect(mutantsTable([result([own('failed')], true, sight)]).slice(2)).toEqual([
      '  37 of 590 tests reach it, of those that name an id 3 of 9: 1 failed',
      '  exactly tests of its ids failed',
    ]);
    expect(mutantsJson([result([own('failed')], true, sight)])).toMatchObject({ mutants: [{ sight }] });
  });

  test('counts, and says how many are exact only when all tests ran', () => {
    expect(mutantsCount([result([own('failed')]), result([own('passed')]), result(undefined)]))
      .toBe('1 killed, 1 survived, 1 say nothing, 1 of 2 by exactly the tests of its ids');
    expect(mutantsCount([result([own('failed')], false)])).toBe('1 killed, 0 survived, 0 say nothing');
  });

  test.for([
    [[own('failed')], 'passed'],
    [[own('passed')], 'failed'],
    [[own('error')], 'error'],
    [undefined, 'error'],
  ] as const)('of JUnit has a case per mutant: %#', ([cases, state]) => {
    const one = mutantCase(mutant, choices);
    applyToCase(one, result(cases));
    expect(one).toMatchObject({ suite: 'mutants', name: 'module/tail', specIds: ['COW-03', 'COW-01'], state, durationMs: 2000 });
    expect(one.problems).toHaveLength(state === 'passed' ? 0 : 1);
    expect(one.repeat).toBe('npm start -- mutants module/tail --seed 7 --line 6.12 --flavour debug --module /m --driver vng');
  });

  test('repeats it in the way that it was tried', () => {
    expect(mutantCase({ ...mutant, name: 'systematic/a.c:7 f: ! goes' }, { ...choices, moduleDir: undefined, driver: undefined }, ['--times', '3']).repeat)
      .toBe("npm start -- mutants 'systematic/a.c:7 f: ! goes' --times 3 --seed 7 --line 6.12 --flavour debug");
  });

  test('as JSON says null for what is not known', () => {
    expect(mutantsJson([result([own('passed')], false)])).toMatchObject({
      mutants: [{ name: 'module/tail', verdict: 'survived', killedAfterMs: null, isExact: null }],
    });
  });
});
