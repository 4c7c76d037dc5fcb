/** Trouble of the file system in which the difference storage is a file: see pressure.ts. */
import { limit, test } from '../fixtures/index.js';
import { expectThrough, readOnly, troubles } from './pressure.js';

for (const trouble of [...troubles, ...readOnly]) {
  const spec = ['COW-06', 'DIF-05', ...(trouble.what.startsWith('is full') ? ['DIF-03', 'DIF-06'] : [])];
  test(`during the hold the storage's ${trouble.on} ${trouble.what}`, {
    timeout: limit(120_000), meta: { spec },
  }, async ({ lab, faults }) => {
    await expectThrough({ lab, faults }, trouble);
  });
}
