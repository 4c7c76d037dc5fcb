/** Vitest as a library: one instance to find tests, one to run them (workers take the environment at creation). */
import { fileURLToPath } from 'node:url';
import { createVitest, type Reporter, type Vitest } from 'vitest/node';

const silent: Reporter = {};

export function openVitest(root: string, project: 'meta' | 'suites', jobs: number, reporter: Reporter = silent): Promise<Vitest> {
  return createVitest('test', {
    root,
    config: fileURLToPath(new URL('../vitest.config.ts', import.meta.url)),
    project: [project],
    maxWorkers: jobs,
    reporters: [reporter],
    watch: false,
    passWithNoTests: true,
    attachmentsDir: 'node_modules/.vitest-attachments',
  });
}
