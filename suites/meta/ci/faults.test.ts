/** The faults of a run: told in JUnit, read back from there, and shown as tables. Method: a report made by hand. */
import { expect, test } from 'vitest';
import { faultLines } from '../../../ci/report/faults.js';
import { junitXml } from '../../../ci/report/junit.js';
import { pendingCase, type CaseReport } from '../../../ci/report/model.js';
import { readJunit } from '../../../ci/report/read-junit.js';
import { leftOut, withoutLong } from '../../../ci/select/long.js';
import type { FaultPoint } from '../../../vm/index.js';

const fault = (kind: FaultPoint['kind'], operation: string, point: string, verdict = 'right'): FaultPoint =>
  ({ kind, operation, point, hit: 'something <&"', verdict });

function caseWith(faults: readonly FaultPoint[], state: CaseReport['state'] = 'passed'): CaseReport {
  const file = 'suites/faults/x.test.ts';
  return { ...pendingCase({ id: JSON.stringify(faults), suite: 'faults', file, name: 'x', specIds: [], repeat: 'npm start' }), state, faults };
}

test('a run without faults has no table', () => {
  expect(faultLines([caseWith([])])).toEqual([]);
});

test('operations are counted by kind, each point once, however often it was injected', () => {
  const take = fault('allocation', 'take', '1');
  const lines = faultLines([caseWith([take, fault('allocation', 'take', '2'), fault('io', 'first copy', 'request 1')]), caseWith([take])]);
  expect(lines).toEqual([
    '',
    'faults injected in  allocation  io',
    'take                         2',
    'first copy                       1',
    '',
    '3 fault points: allocation 2, io 1; each in a test that passed',
  ]);
});

test('a point of a test that failed is told as such', () => {
  const lines = faultLines([caseWith([fault('crash', 'ext4 held', '1')], 'failed'), caseWith([fault('crash', 'ext4 held', '2')])]);
  expect(lines).toContain('ext4 held           2 (1 in failed tests)');
  expect(lines.at(-1)).toBe('2 fault points: crash 2; 1 of them in tests that failed');
});

test('what is taken away in which phase is a grid, and a cell that cannot be says why', () => {
  const lines = faultLines([
    caseWith([fault('removal', 'take', 'disk pulled'), fault('removal', 'destroy', 'loop', 'cannot be: it is in use')]),
    caseWith([fault('removal', 'destroy', 'disk pulled')], 'failed'),
  ]);
  expect(lines).toEqual([
    '',
    '',
    'removal during     1  2',
    'take              ok',
    'destroy         FAIL  -',
    '  1: disk pulled',
    '  2: loop',
    '  -: destroy, loop: cannot be: it is in use',
    '',
    '3 fault points: removal 3; 1 of them in tests that failed',
  ]);
});

test('JUnit holds each fault with its verdict, and gives it back', () => {
  const faults = [fault('call', 'wait event', 'SIGTERM', 'EINTR & gone')];
  const report = { startedAt: new Date(0), wallMs: 1, properties: new Map(), origin: new Map(), cases: [caseWith(faults)] };
  expect(readJunit(junitXml(report))?.cases[0]?.faults).toEqual(faults);
});

test('what takes long is left out, and said so', () => {
  const tests = ['a.test.ts', 'b.long.test.ts', 'long.test.ts'].map((file) => ({ id: file, file, suite: '', name: file, specIds: [], moduleId: file }));
  const { selection, left } = withoutLong({ tests, broken: [] });
  expect(selection.tests.map(({ file }) => file)).toEqual(['a.test.ts', 'long.test.ts']);
  expect(left).toBe(1);
  expect(leftOut(left)).toContain('--long');
});
