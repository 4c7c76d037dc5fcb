/** A KUnit case that crashes, hangs or complains is a failed test and hides none of the others.
 *  Method: a test module with suites that go wrong is built and run as the module's own are. */
import { fileURLToPath } from 'node:url';
import { expect, test } from '../fixtures/index.js';
import { buildKunitModule, runKunitSuite, type KunitRun } from '../fixtures/kunit.js';
import { readKunitSuites, type KunitSuite } from '../fixtures/kunit-table.js';
import type { SuiteSettings } from '../fixtures/settings.js';

const dir = fileURLToPath(new URL('./kunit/', import.meta.url));
const suites = readKunitSuites(dir);

/** The first case needs a small part of it, also on a busy host. */
const HANG_TIMEOUT_MS = 15_000;

async function runWrong(settings: SuiteSettings, how: string, table = suites.find(({ name }) => name === `wrong_${how}`)): Promise<KunitRun> {
  const timeoutMs = how === 'hang' ? HANG_TIMEOUT_MS : undefined;
  return runKunitSuite(settings, await buildKunitModule(settings.kernel, dir), table as KunitSuite, timeoutMs);
}

/** The second is how KASAN has it. */
const nullPointer = /guest oops: (?:BUG: .*NULL pointer|.*KASAN: null-ptr-deref)/s;

const ways: readonly (readonly [how: string, middle: object, last: string, problem: RegExp | undefined])[] = [
  ['crash', { state: 'failed', message: expect.stringMatching(nullPointer) as string }, 'failed', /guest oops/],
  ['crash_for_two', { state: 'failed', message: expect.stringMatching(/crashed: began.*guest oops/s) as string }, 'failed', /guest oops/],
  ['warn', { state: 'failed', message: expect.stringMatching(/complained \(WARN\)/) as string }, 'passed', undefined],
  ['fail', { state: 'failed', message: expect.stringMatching(/Expected 2 \+ 2 == 5/) as string }, 'passed', undefined],
  ['fail_for_two', { state: 'failed', message: expect.stringMatching(/^number 2: failed\n/) as string }, 'passed', undefined],
  ['exit', { state: 'passed', message: '' }, 'passed', /complained \(WARN\)/],
  ['skip', { state: 'skipped', message: 'on purpose' }, 'passed', undefined],
];

test.for(ways)('a KUnit case that is to %s gets that verdict, and none is missing', async ([how, middle, last, problem], { settings }) => {
  const { cases, problems } = await runWrong(settings, how);
  const [first, second, third] = [...cases.values()];
  expect(cases.size).toBe(3);
  expect(first).toEqual({ state: 'passed', message: '' });
  expect(second).toMatchObject(middle);
  expect(third).toMatchObject({ state: last, message: last === 'failed' ? expect.stringMatching(/^not run, because the run ended in middle_/) as string : '' });
  expect(problems).toEqual(problem === undefined ? [] : expect.arrayContaining([expect.stringMatching(problem)]));
});

test('a KUnit case that hangs fails with what it is stuck in', async ({ settings }) => {
  const { cases } = await runWrong(settings, 'hang');
  expect(cases.get('first_should_pass')).toMatchObject({ state: 'passed' });
  expect(cases.get('middle_should_hang')).toMatchObject({ state: 'failed', message: expect.stringMatching(/did not end within .*kunit/s) as string });
  expect(cases.get('last_should_pass')).toMatchObject({ state: 'failed', message: expect.stringContaining('not run') as string });
});

test('a suite that the module does not have fails all its cases', async ({ settings }) => {
  const { cases } = await runWrong(settings, '', { name: 'wrong_absent', cases: [{ name: 'one', specIds: [] }, { name: 'two', specIds: [] }] });
  expect([...cases.values()].map(({ state }) => state)).toEqual(['failed', 'failed']);
});

test('a case that runs and is not in the table is told', async ({ settings }) => {
  const { problems } = await runWrong(settings, '', { name: 'wrong_skip', cases: [{ name: 'first_should_pass', specIds: [] }] });
  expect(problems).toEqual(expect.arrayContaining([expect.stringContaining('last_should_pass')]));
});
