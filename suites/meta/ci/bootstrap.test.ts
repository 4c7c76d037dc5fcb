/** npm ci runs exactly when node_modules is not what the lock file says. Method: made-up lock files. */
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { whyOutOfDate } from '../../../ci/bootstrap/node-modules.mjs';
import { temporaryTree } from './temporary-tree.js';

type Packages = Record<string, { version: string; optional?: boolean }>;
const wanted: Packages = {
  '': { version: '1.0.0' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/b-other-platform': { version: '2.0.0', optional: true },
};

function reason(found: Packages | undefined): string | undefined {
  const files: Record<string, string> = { 'package-lock.json': JSON.stringify({ packages: wanted }) };
  if (found) files['node_modules/.package-lock.json'] = JSON.stringify({ packages: found });
  return whyOutOfDate(pathToFileURL(`${temporaryTree(files)}/`));
}

test('what is there as locked needs nothing, an optional package of another platform may be absent', () => {
  expect(reason({ 'node_modules/a': { version: '1.0.0' } })).toBeUndefined();
});

test.for([
  ['nothing installed', undefined, 'not installed yet'],
  ['another version', { 'node_modules/a': { version: '1.0.1' } }, 'node_modules/a is not at 1.0.0'],
  ['a package missing', {}, 'node_modules/a is not at 1.0.0'],
  ['one too many', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/c': { version: '1.0.0' } }, 'node_modules/c is not in the lock file'],
  ['an optional one at another version',
    { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b-other-platform': { version: '1.0.0' } },
    'node_modules/b-other-platform is not at 2.0.0'],
] as const)('%s is out of date', ([, found, expected]) => {
  expect(reason(found)).toBe(expected);
});
