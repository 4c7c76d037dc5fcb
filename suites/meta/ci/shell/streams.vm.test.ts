/** npm start -- shell: what goes in, comes out, and with which exit code. Method: run it as a user does, through pipes. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from '../../../fixtures/index.js';
import type { SuiteSettings } from '../../../fixtures/settings.js';

const START = fileURLToPath(new URL('../../../../ci/start.mjs', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function shell({ line, flavour }: SuiteSettings, words: readonly string[], stdin: string): Promise<Ended> {
  const child = spawn(process.execPath, [START, 'shell', '--qemu', '--disk', '64M', '--line', line, '--flavour', flavour, ...words]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => { stdout += data.toString(); });
  child.stderr.on('data', (data: Buffer) => { stderr += data.toString(); });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

test('a script on stdin runs with the module loaded, stdout is its own alone, and its exit code comes out', async ({ settings }) => {
  const { code, stdout, stderr } = await shell(settings, [], 'uname -r; echo aside >&2; [ -e /sys/module/blksnap ] || exit 9; exit 7');

  expect(stdout).toBe(`${settings.kernel.release}\n`);
  expect(stderr).toContain('aside');
  expect(code).toBe(7);
});

test('a command gets its arguments and stdin as they are, and a panic under it is the product\'s failure', async ({ settings }) => {
  const echoed = await shell(settings, ['--', 'sh', '-c', 'printf "%s|" "$@"; cat', 'sh', 'a b', '$x'], 'from stdin');
  expect(echoed).toMatchObject({ code: 0, stdout: 'a b|$x|from stdin' });

  const crashed = await shell(settings, ['--', 'echo c > /proc/sysrq-trigger; sleep 60'], '');
  expect(crashed).toMatchObject({ code: 1, stdout: '' });
  expect(crashed.stderr).toMatch(/product: guest panic: .*sysrq triggered crash/);
});
