/** apt's answer is taken for the package that was asked for, and for no other. Method: recorded answers, pure. */
import { expect, test } from 'vitest';
import { parseCandidate } from '../../../../vm/kernel/debian.js';

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
