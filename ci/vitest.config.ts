/** The two vitest projects: `meta` proves the runner itself without a machine, `suites` boots guests.
 *  A test of the runner that needs a guest ends in `.vm.test.ts` and belongs to `suites`. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { flavourNeeds } from '../vm/index.js';

const settings = JSON.parse(process.env['BLKSNAP_SUITE_SETTINGS'] ?? '{}') as { flavour?: string; driver?: string };
/** Under --driver vng each test boots a guest, which takes ten times as long on a busy host as on an idle one. */
const testTimeout = settings.driver === 'vng' ? 480_000 : 120_000;
/** A test with a limit of its own multiplies it itself, see limit() in suites/fixtures. */
const { slowdown } = flavourNeeds(settings.flavour ?? 'fast');

const vmTests = 'suites/**/*.vm.test.ts';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    pool: 'forks',
    maxWorkers: availableParallelism(),
    watch: false,
    // A missing expectation fails; only -u writes one.
    update: 'none',
    projects: [
      {
        extends: true,
        test: {
          name: 'meta',
          include: ['suites/meta/**/*.test.ts'],
          exclude: [vmTests],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'suites',
          include: ['suites/*/**/*.test.ts'],
          exclude: ['suites/meta/**/!(*.vm).test.ts', 'suites/mutants/**'],
          testTimeout: testTimeout * slowdown,
          hookTimeout: 120_000 * slowdown,
        },
      },
    ],
  },
});
