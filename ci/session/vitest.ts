/** Vitest as a library: one instance to find tests, one to run them (workers take the environment at creation). */
import { fileURLToPath } from 'node:url';
import { createVitest, type Reporter, type Vitest } from 'vitest/node';
import type { SuiteSettings } from '../../suites/fixtures/settings.js';
import { environmentOf } from './settings.js';

export interface VitestOptions {
  readonly project: 'meta' | 'suites';
  readonly jobs: number;
  readonly reporter?: Reporter;
  /** Default true: each test file has a process of its own. Only to find tests, which runs none, one is enough for all. */
  readonly isolate?: boolean;
  /** For the workers of this instance alone, since others may run beside it; default what passSettings() told all. The flavour and
   *  the driver must be those told to all. */
  readonly settings?: Partial<SuiteSettings> | undefined;
}

export function openVitest(root: string, { project, jobs, reporter = {}, isolate = true, settings }: VitestOptions): Promise<Vitest> {
  return withoutItsSignals(() => createVitest('test', {
    root,
    config: fileURLToPath(new URL('../vitest.config.ts', import.meta.url)),
    project: [project],
    maxWorkers: jobs,
    ...(settings === undefined ? {} : { env: environmentOf(settings) }),
    isolate,
    reporters: [reporter],
    watch: false,
    passWithNoTests: true,
    attachmentsDir: 'node_modules/.vitest-attachments',
  }));
}

/** Vitest ends the process a millisecond after a signal, before guests and folders are gone. Ending is the session's. */
async function withoutItsSignals<T>(work: () => Promise<T>): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = new Map(signals.map((signal) => [signal, new Set(process.rawListeners(signal))]));
  const result = await work();
  for (const signal of signals) {
    for (const listener of process.rawListeners(signal)) {
      if (!before.get(signal)?.has(listener)) process.removeListener(signal, listener as NodeJS.SignalsListener);
    }
  }
  return result;
}
