/** Runs run.ts in a process of its own, as the tests of vitest's outcomes need it: this process is a vitest already. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CaseReport } from '../../../../ci/report/model.js';

/** Returns the cases; junit.xml is then in `resultsDir`. */
export function runProject(resultsDir: string, ...args: readonly string[]): CaseReport[] {
  const script = fileURLToPath(new URL('./run.ts', import.meta.url));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV)/.test(name)));
  const run = spawnSync(process.execPath, ['--import', 'tsx', script, resultsDir, ...args], { encoding: 'utf8', env });
  if (run.status !== 0) throw new Error(`the project did not run:\n${run.stderr}${run.stdout}`);
  return JSON.parse(run.stdout) as CaseReport[];
}
