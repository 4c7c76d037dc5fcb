/** apt's answer is taken for the package that was asked for and for no other, and another suite comes from where the
 *  machine's own comes from. Method: recorded answers, pure. */
import { expect, test } from 'vitest';
import { parseCandidate, suiteSources } from '../../../../vm/cache/apt.js';

const answer = (name: string, candidate: string): string => `${name}:\n  Installed: (none)\n  Candidate: ${candidate}\n  Version table:\n`;

test('the candidate of the package is its version', () => {
  expect(parseCandidate('linux-source-6.12', answer('linux-source-6.12', '6.12.1-1'))).toBe('6.12.1-1');
});

test('a package that resembles the name is not the package', () => {
  expect(parseCandidate('linux-source-6.1', answer('linux-source-6.12', '6.12.1-1'))).toBeUndefined();
});

test.for(['', answer('linux-source-6.12', '(none)')])('no candidate is none: %j', (output) => {
  expect(parseCandidate('linux-source-6.12', output)).toBeUndefined();
});

test('another suite is taken from where the machine takes its own, with the same key, and from nowhere else', () => {
  const targets = [
    'http://mirror/debian/|bookworm|main|/usr/share/keyrings/k.gpg',
    'http://mirror/debian/|bookworm|contrib|$(SIGNED_BY)',
    'http://mirror/debian/|bookworm-updates|main|/usr/share/keyrings/k.gpg',
    'http://elsewhere/tool/|stable|main|/usr/share/keyrings/tool.gpg',
    'http://mirror/debian/|bookworm|main|/usr/share/keyrings/k.gpg',
    '',
  ].join('\n');

  expect(suiteSources(targets, 'bookworm', 'testing')).toBe(
    'deb [signed-by=/usr/share/keyrings/k.gpg] http://mirror/debian/ testing main\n'
    + 'deb http://mirror/debian/ testing contrib\n');
  expect(suiteSources(targets, 'trixie', 'testing')).toBe('');
});
