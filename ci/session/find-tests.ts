/** Finds the tests that there are; runs none. One process loads all files, for loading the same modules a hundred times
 *  is what finding would spend its time on. */
import { collectTests, type Collected } from '../select/collect.js';
import { openVitest } from './vitest.js';

export async function findTests(root: string, project: 'meta' | 'suites'): Promise<Collected> {
  const vitest = await openVitest(root, { project, jobs: 1, isolate: false });
  try {
    return await collectTests(vitest, root);
  } finally {
    await vitest.close();
  }
}
