/** A test that fails while another is under way and a third has not begun, for verdicts.test.ts. */
import { expect, test as base } from 'vitest';

let begin: () => void;
const begun = new Promise<void>((resolve) => { begin = resolve; });

const test = base.extend<{ fault: string }>({
  fault: async ({}, use) => {
    await use('armed');
    throw new Error('the test injected no fault');
  },
});

test.concurrent('fails', async () => {
  await begun;
  expect(1).toBe(2);
});
test.concurrent('is under way', async ({ fault }) => {
  begin();
  await new Promise(() => fault);
});
test('has not begun', () => undefined);
