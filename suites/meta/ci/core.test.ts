/** The core of npm test on a second flavour: its list is read with reasons, names files that are there, and an entry that
 *  names no test is told. Method: pure, and the list of the repository. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseCore, readCore, selectCore, withCore } from '../../../ci/select/core.js';
import type { Collected } from '../../../ci/select/collect.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const known = (file: string, name: string) => ({ id: name, file, suite: 'cow', name, specIds: [], moduleId: file });
const all: Collected = { tests: [known('suites/cow/image.test.ts', 'it stays'), known('suites/cow/image.test.ts', 'it goes')], broken: [] };

test('an entry selects as on the command line', () => {
  const core = parseCore('flavour: debug\ntests:\n  - {test: cow/image.test.ts > it stays, why: x}\n', 'core.yaml');
  expect(core.flavour).toBe('debug');
  expect(selectCore(core, all).tests.map(({ name }) => name)).toEqual(['it stays']);
});

test('an entry that names no test any more is refused', () => {
  expect(() => selectCore({ flavour: 'debug', tests: ['cow/image.test.ts > it flies'] }, all)).toThrow(/^suites\/core\.yaml: .*it flies/);
});

test('"core" on the command line is the whole list, among other words', () => {
  expect(withCore(['rig', 'core'], root)).toEqual(['rig', ...readCore(root).tests]);
});

test('an entry without a reason is told with its place', () => {
  expect(() => parseCore('flavour: debug\ntests:\n  - test: cow\n', 'core.yaml')).toThrow(/core\.yaml:3.*why/s);
});

test('the list of the repository names test files that are there', () => {
  const files = readCore(root).tests.map((word) => word.split(' > ')[0] as string);
  expect(files.length).toBeGreaterThan(30);
  expect(files.filter((file) => !existsSync(join(root, 'suites', file)))).toEqual([]);
});
