/** Host programs end by their deadline with everything they started. Method: real programs. */
import { expect, test } from 'vitest';
import { CommandError, MissingToolError } from '../../../../vm/errors.js';
import { attempt, exec } from '../../../../vm/proc/exec.js';

const options = { phase: 'test', timeoutMs: 5000 };

test('a status is an answer to attempt and an error to exec', async () => {
  expect(await attempt(['sh', '-c', 'echo out; echo err >&2; exit 3'], options)).toMatchObject({ exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  await expect(exec(['sh', '-c', 'echo why; exit 3'], options)).rejects.toThrow(/ended with status 3\nwhy/);
});

test('a deadline ends the children of a program as well', async () => {
  const started = performance.now();
  await expect(attempt(['sh', '-c', 'sleep 60 | cat'], { ...options, timeoutMs: 300 })).rejects.toBeInstanceOf(CommandError);
  expect(performance.now() - started).toBeLessThan(5000);
});

test('a program that is not installed is named', async () => {
  await expect(attempt(['no-such-program-here'], options)).rejects.toBeInstanceOf(MissingToolError);
});

test('each line is told as it comes', async () => {
  const lines: string[] = [];
  await exec(['printf', 'one\ntwo\n'], { ...options, onLine: (line) => lines.push(line) });
  expect(lines).toEqual(['one', 'two']);
});
