/** Ctrl-C and a normal end leave no process and no folder behind. Method: a real session in a process of its own, with
 *  a child that has left its group and ignores SIGTERM, which then gets the signal. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryTree } from './temporary-tree.js';

const script = fileURLToPath(new URL('./projects/session.ts', import.meta.url));

interface Started {
  readonly runDir: string;
  readonly stubbornPid: number;
}

async function start(root: string, ending: 'wait' | 'close' | 'throw' | 'close when interrupted') {
  const child = spawn(process.execPath, ['--import', 'tsx', script, root, ending], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const started = await new Promise<Started>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('\n')) resolve(JSON.parse(text) as Started);
    });
    child.on('exit', () => reject(new Error(`ended early: ${text}`)));
  });
  return { child, ended, ...started };
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends with %i and leaves nothing', async ([signal, code]) => {
  const run = await start(temporaryTree(), 'wait');
  expect(isAlive(run.stubbornPid)).toBe(true);
  run.child.kill(signal);
  run.child.kill(signal); // npm forwards what the terminal has sent already
  expect(await run.ended).toBe(code);
  expect(isAlive(run.stubbornPid)).toBe(false);
  expect(existsSync(run.runDir)).toBe(false);
});

test('after Ctrl-C a run that comes to its own end first does not end with its own code', async () => {
  const run = await start(temporaryTree(), 'close when interrupted');
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(130);
});

test('an interrupted run has its report', async () => {
  const root = temporaryTree();
  const run = await start(root, 'wait');
  run.child.kill('SIGINT');
  await run.ended;
  expect(readFileSync(join(root, 'results/latest/junit.xml'), 'utf8')).toContain('<error message="did not finish"');
});

test.for([['a normal end', 'close', 0], ['an error that nobody caught', 'throw', 3]] as const)('%s leaves nothing either', async ([, ending, code]) => {
  const run = await start(temporaryTree(), ending);
  expect(await run.ended).toBe(code);
  expect(isAlive(run.stubbornPid)).toBe(false);
  expect(existsSync(run.runDir)).toBe(false);
});

test('what a killed run left is swept by the next one', async () => {
  const root = temporaryTree();
  const killed = await start(root, 'wait');
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect(existsSync(killed.runDir)).toBe(true);
  process.kill(killed.stubbornPid, 'SIGKILL');
  const next = await start(root, 'close');
  await next.ended;
  expect(existsSync(killed.runDir)).toBe(false);
});
