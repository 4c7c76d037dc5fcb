/** Every way in which a test can end, for verdicts.test.ts: run there as a project of its own, never by the suites. */
import { afterAll, beforeAll, describe, expect, test as base } from 'vitest';

/** Shaped as vm/errors.ts shapes its errors. */
class GuestLostError extends Error {
  override readonly name = 'GuestLostError';
  readonly code = 'EGUESTLOST';
  readonly blame = 'rig';
  readonly evidence = ['console.log'];
}

class GuestPanicError extends Error {
  override readonly name = 'GuestPanicError';
  readonly blame = 'product';
}

class DiskFullError extends Error {
  readonly code = 'ENOSPC';
  readonly syscall = 'write';
}

const test = base.extend<{ leaky: string }>({
  leaky: async ({}, use) => {
    await use('resource');
    throw new GuestLostError('lost in teardown');
  },
});

test('passes', { meta: { spec: ['CBT-01', 'CBT-02'] } }, ({ task }) => {
  Object.assign(task.meta, { restoreMs: [300, 420] });
});
test('assertion', ({ task }) => {
  Object.assign(task.meta, { klogTail: ['blksnap: snapshot taken', 'raw \u0007\u001b[31mbytes\u001b[0m'] });
  expect({ marked: 1 }).toEqual({ marked: 2 });
});
test('assertion on a large number', () => {
  expect(2n ** 64n).toBeLessThan(1n);
});
test('rig error', () => {
  throw new GuestLostError('lost \u0000 it');
});
test('panic', () => {
  throw new GuestPanicError('guest panic: Fatal exception');
});
test('rig error, then the panic that explains it', ({ onTestFinished }) => {
  onTestFinished(() => {
    throw new GuestPanicError('found on the console');
  });
  throw new GuestLostError('gone');
});
test('fixture teardown', ({ leaky }) => {
  expect(leaky).toBe('resource');
});
test('host disk full', () => {
  throw new DiskFullError('no space left on device');
});
test('mistake in the test', () => {
  (undefined as unknown as { missing: () => void }).missing();
});
test('timeout', () => new Promise(() => undefined), 200);
test('skipped with a note', ({ skip }) => skip('needs CONFIG_KASAN'));
test.skip('skipped in place', () => undefined);
test('stray rejection', async () => {
  void Promise.reject(new Error('nobody waits'));
  await new Promise((resolve) => setTimeout(resolve, 50));
});
describe('group', () => {
  beforeAll(() => {
    throw new GuestLostError('before all');
  });
  test('below a failing beforeAll', () => undefined);
});
describe('tail', () => {
  afterAll(() => {
    throw new GuestLostError('after all');
  });
  test('above a failing afterAll', () => undefined);
});
