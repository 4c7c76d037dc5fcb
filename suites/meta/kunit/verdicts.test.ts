/** A case of a KUnit table passes only when the stream says so: no silence, no crash and no complaint is a pass.
 *  Method: recorded streams of suites/meta/ktap/recorded, judged by tables. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { KlogLine } from '../../../vm/index.js';
import { judgeKlog, klogPolicy } from '../../fixtures/klog-guard.js';
import { judge as judgeWith, type KunitVerdicts } from '../../fixtures/kunit-verdict.js';
import type { KunitSuite } from '../../fixtures/kunit-table.js';

const policy = await klogPolicy();

/** With what the project's own policy finds in the lines. */
function judge(suite: KunitSuite, lines: readonly KlogLine[], death?: string): KunitVerdicts {
  const { splats } = judgeKlog(lines, policy, { kernel: { line: '6.12', flavour: 'fast' }, now: new Date() });
  return judgeWith(suite, lines, splats, death);
}

function recorded(name: string): KlogLine[] {
  return linesOf(readFileSync(new URL(`../ktap/recorded/${name}`, import.meta.url), 'utf8'));
}

/** As the kernel log has them: without what the console puts before. */
function linesOf(text: string): KlogLine[] {
  return text.split('\n').map((line) => ({ level: 6, timeUs: 0, text: line.replace(/^\[ *[\d.]+\] /, '') }));
}

function suite(name: string, ...cases: readonly string[]): KunitSuite {
  return { name, cases: cases.map((one) => ({ name: one, specIds: [] })) };
}

const store = suite('blksnap_store', 'store_should_open', 'store_should_crash', 'store_should_close');
const map = suite('blksnap_chunk_map', 'chunk_size_should_stay_below_the_limit', 'last_chunk_should_be_partial', 'big_devices_should_be_refused');

test('the case in which the guest dies fails with its death, and those behind it as not run', () => {
  const { cases, problems } = judge(store, recorded('crash-in-second-test.ktap'), 'guest panic: Fatal exception');
  expect(Object.fromEntries(cases)).toEqual({
    store_should_open: { state: 'passed', message: '' },
    store_should_crash: { state: 'failed', message: expect.stringContaining('guest panic: Fatal exception') as string },
    store_should_close: { state: 'failed', message: 'not run, because the run ended in store_should_crash' },
  });
  expect(problems).not.toEqual([]);
});

test('a case that dies at one of its parameters fails with that death, and those behind it as not run', () => {
  const begun = 'KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: x\n    1..2\n        KTAP version 1\n        # Subtest: one\n        ok 1 a\n';
  const { cases } = judge(suite('x', 'one', 'two'), linesOf(begun), 'guest panic');
  expect(cases.get('one')).toEqual({ state: 'failed', message: expect.stringMatching(/crashed: began.*guest panic/s) as string });
  expect(cases.get('two')).toEqual({ state: 'failed', message: 'not run, because the run ended in one' });
});

test('a stream that ends too soon fails all that it does not tell of, though nobody says that the guest died', () => {
  const { cases } = judge(store, recorded('crash-in-second-test.ktap'));
  expect([...cases.values()].map(({ state }) => state)).toEqual(['passed', 'failed', 'failed']);
});

test('a failed expectation is shown, and a case with parameters passes when all of them do', () => {
  const { cases } = judge(map, recorded('kunit-console.ktap'));
  expect([...cases.values()].map(({ state }) => state)).toEqual(['passed', 'passed', 'failed']);
  expect(cases.get('big_devices_should_be_refused')?.message).toContain('EXPECTATION FAILED at chunk_map_kunit.c:44');
});

test.for(['silence.console', 'no-tests.ktap', 'garbled.ktap', 'bail-out.tap'])('%s passes no case', (name) => {
  const { cases, problems } = judge(store, recorded(name));
  expect([...cases.values()].map(({ state }) => state)).toEqual(['failed', 'failed', 'failed']);
  expect(problems).not.toEqual([]);
});

const good = 'KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: x\n    1..2\n    ok 1 one\n    ok 2 two\n# x: pass:2 fail:0 skip:0 total:2\nok 1 x\n';

test('a good stream passes every case and leaves nothing to say', () => {
  expect(judge(suite('x', 'one', 'two'), linesOf(good))).toEqual({
    cases: new Map([['one', { state: 'passed', message: '' }], ['two', { state: 'passed', message: '' }]]), problems: [],
  });
});

test('a complaint of the kernel fails the case whose result comes next, although that says ok', () => {
  const { cases } = judge(suite('x', 'one', 'two'), linesOf(good.replace('    ok 2', 'WARNING: CPU: 0 PID: 1 at x.c:1\n    ok 2')));
  expect([...cases.values()].map(({ state }) => state)).toEqual(['passed', 'failed']);
});

test('a complaint behind all cases is a problem of its own', () => {
  const { cases, problems } = judge(suite('x', 'one', 'two'), linesOf(`${good}BUG: sleeping function called\n`));
  expect([...cases.values()].map(({ state }) => state)).toEqual(['passed', 'passed']);
  expect(problems).toEqual([expect.stringContaining('complained (BUG)')]);
});

test('a case that ran and is not in the table is told, and so is a suite that fails on its own', () => {
  expect(judge(suite('x', 'one'), linesOf(good)).problems).toEqual(['x > two: passed']);
  expect(judge(suite('x', 'one', 'two'), linesOf(good.replace('\nok 1 x', '\nnot ok 1 x'))).problems).not.toEqual([]);
});
