/** What a shell call asks of the guest, from words and streams. Method: pure. */
import { expect, test } from 'vitest';
import { UsageError } from '../../../../ci/cli/exit-codes.js';
import { parseSize, shellRequest, type Surroundings } from '../../../../ci/shell/request.js';

const terminal: Surroundings = { stdin: true, stdout: true, shell: '/bin/bash', cwd: '/work', env: { TERM: 'xterm' } };
const command = (words: readonly string[], surroundings: Surroundings): string[] => shellRequest(words, surroundings).argv.slice(4);

test('no command on a terminal is a prompt on a terminal, in our folder', () => {
  expect(shellRequest([], terminal).pty).toBe(true);
  expect(command([], terminal)).toEqual(['/work', 'env', 'TERM=xterm', '/bin/bash', '-i']);
});

test.for([
  [{ stdin: false, stdout: true }],
  [{ stdin: true, stdout: false }],
] as const)('%j has no terminal in the guest, so that streams stay apart', ([streams]) => {
  expect(shellRequest([], { ...terminal, ...streams }).pty).toBe(false);
  expect(command([], { ...terminal, ...streams }).at(-1)).toBe('/bin/bash');
});

test('one word is shell text, several are a program and its arguments', () => {
  expect(command(['uname -r; exit 7'], terminal).slice(3)).toEqual(['/bin/sh', '-c', 'uname -r; exit 7']);
  expect(command(['ls', '$HOME'], terminal).slice(3)).toEqual(['ls', '$HOME']);
});

test.for([['64M', 64 * 2 ** 20], ['1g', 2 ** 30], ['16T', 16 * 2 ** 40], ['2GiB', 2 ** 31]] as const)('%s is %d bytes', ([text, bytes]) => {
  expect(parseSize(text)).toBe(bytes);
});

test.for(['', '64', '0G', '17T', '1.5G', '-1G', '4K'])('%j is no size of a disk', (text) => {
  expect(() => parseSize(text)).toThrow(UsageError);
});
