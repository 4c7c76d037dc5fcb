/** A worker that is killed in its second test, for verdicts.test.ts. */
import { test } from 'vitest';

test('before the end', () => undefined);
test('kills its worker', async () => {
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => undefined);
});
test('after the end', () => undefined);
