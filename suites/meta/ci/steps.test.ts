/** A check or a stage that fails is a case of the report with the right blame, and never stops what can go on.
 *  Method: made-up work in the real wrappers. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { runStage } from '../../../ci/build/stage.js';
import { runCheck } from '../../../ci/checks/run-check.js';
import { pendingCase } from '../../../ci/report/model.js';
import { ReportStore } from '../../../ci/report/store.js';
import { exitCodeOf } from '../../../ci/report/finish.js';
import { Progress } from '../../../ci/session/progress.js';
import { BuildError, PatchError, SourceError } from '../../../vm/errors.js';
import { temporaryTree } from './temporary-tree.js';

function scene() {
  const stream = new PassThrough();
  const progress = new Progress(stream as unknown as NodeJS.WriteStream);
  const store = new ReportStore(temporaryTree(), {});
  return { progress, store, repeat: 'npm start', text: () => String(stream.read() ?? '') };
}

describe('a stage', () => {
  test('hands on its result and adds no case', async () => {
    const { store, ...rest } = scene();
    expect(await runStage({ store, ...rest }, 'kernel', () => Promise.resolve(42))).toBe(42);
    expect(store.report.cases).toEqual([]);
  });

  test.for([
    ['a patch that does not apply', new PatchError('0002-x.patch', 'block/bdev.c', 120, 'error: patch failed'), 'failed', 1],
    ['a module that does not compile', new BuildError('module', 'main.c:3: error: x', '/log'), 'failed', 1],
    ['a source that cannot be fetched', new SourceError('no such package'), 'error', 3],
    ['a mistake in our scripts', new TypeError('x is undefined'), 'error', 3],
    ['a plain error', new Error('x'), 'error', 3],
  ] as const)('%s has its verdict, and the tests that could not run say why', async ([, error, state, code]) => {
    const { store, text, ...rest } = scene();
    store.add(pendingCase({ id: 'a', suite: 'cow', file: '', name: 'a', specIds: [], repeat: '' }));
    expect(await runStage({ store, ...rest }, 'kernel', () => Promise.reject(error))).toBeUndefined();
    expect(store.report.cases).toMatchObject([
      { name: 'a', state: 'skipped', skipReason: 'not run, because "kernel" failed' },
      { suite: 'prepare', name: 'kernel', state },
    ]);
    expect(exitCodeOf(store.report)).toBe(code);
    expect(text()).toMatch(/^FAIL kernel /);
  });
});

describe('a check', () => {
  const check = (run: () => Promise<string[]>) => ({ name: 'tidiness', repeat: 'npm test', run });

  test('passes in silence', async () => {
    const { store, progress } = scene();
    await runCheck(check(() => Promise.resolve([])), store, progress);
    expect(store.report.cases).toMatchObject([{ suite: 'gate', name: 'tidiness', state: 'passed' }]);
  });

  test('fails with its findings', async () => {
    const { store, progress, text } = scene();
    await runCheck(check(() => Promise.resolve(['a.ts:1: too long', 'b.ts:2: too long'])), store, progress);
    expect(store.report.cases[0]).toMatchObject({ state: 'failed', problems: [{ detail: 'a.ts:1: too long\nb.ts:2: too long' }] });
    expect(exitCodeOf(store.report)).toBe(1);
    expect(text()).toContain('2 findings, the first: a.ts:1: too long');
  });

  test('that crashes is an error of the rig', async () => {
    const { store, progress } = scene();
    await runCheck(check(() => Promise.reject(new Error('no such program'))), store, progress);
    expect(store.report.cases[0]).toMatchObject({ state: 'error' });
    expect(exitCodeOf(store.report)).toBe(3);
  });
});
