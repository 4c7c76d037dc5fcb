/** Whatever ends a process of ours, nothing of it stays. Method: a child process makes a folder and a program,
 *  is ended in each way, and both are looked for. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';

const victim = fileURLToPath(new URL('victim.fixture.ts', import.meta.url));

/** Gone, or a zombie that only waits to be reaped. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test.for(['SIGTERM', 'SIGINT', 'SIGKILL', 'exit'] as const)('after %s no program and no temporary file is left', async (how) => {
  const child = spawn(process.execPath, ['--import', 'tsx', victim], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = await new Promise<string>((resolve) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString('utf8')));
  });
  const { folder, pid } = JSON.parse(said) as { folder: string; pid: number };
  expect(existsSync(folder)).toBe(true);
  expect(isRunning(pid)).toBe(true);

  if (how === 'exit') child.stdin.end();
  else child.kill(how);

  await vi.waitFor(() => {
    expect({ folder: existsSync(folder), program: isRunning(pid) }).toEqual({ folder: false, program: false });
  }, { timeout: 10_000, interval: 50 });
});
