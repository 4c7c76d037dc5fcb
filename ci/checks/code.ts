/** The checks that need no kernel: lint, types, import table, tidiness. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt } from '../../vm/index.js';
import { mutantsCheck } from '../mutants/refresh.js';
import type { Check } from './check.js';
import { checkImports } from './deps.js';
import { packageHosts, repositoryFiles } from './files.js';
import { checkJobs } from './jobs.js';
import { checkTidiness } from './tidy.js';
import { checkWireFormat, uapiFolder } from './wire-format.js';

const programTimeoutMs = 300_000;

export function codeChecks(root: string): Check[] {
  const program = (name: string, argv: readonly string[]): Check => ({
    name,
    repeat: `npm run ${name}`,
    run: async () => {
      const [file = '', ...args] = argv;
      const script = fileURLToPath(import.meta.resolve(file));
      const result = await attempt([process.execPath, script, ...args], { phase: name, timeoutMs: programTimeoutMs, cwd: root });
      const lines = result.output.split('\n').filter((line) => line.trim() !== '');
      return result.exitCode === 0 && lines.length === 0 ? [] : [...lines, `ended with ${result.exitCode}`];
    },
  });
  return [
    program('lint', ['../../node_modules/eslint/bin/eslint.js', '--config', 'ci/eslint.config.js', '.']),
    program('types', ['../../node_modules/typescript/bin/tsc', '--noEmit', '--pretty', 'false', '-p', 'ci/tsconfig.json']),
    { name: 'imports', repeat: 'npm test', run: async () => checkImports(root, await repositoryFiles(root)) },
    { name: 'wire format', repeat: 'npm test', run: () => checkWireFormat(root, uapiFolder(root)) },
    mutantsCheck(root, 'module', { moduleDir: join(root, 'module') }),
    { name: 'CI definitions', repeat: 'npm test', run: () => checkJobs(root) },
    {
      name: 'tidiness',
      repeat: 'npm test',
      run: async () => checkTidiness(await repositoryFiles(root), { root, hostNames: await packageHosts() }),
    },
  ];
}
