/** A file that does not load when tests are listed, and does when they are run, for verdicts.test.ts. */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';

// Listing and running are two processes, with one parent.
const listed = join(tmpdir(), `unsteady-${process.ppid}`);
if (statSync(listed, { throwIfNoEntry: false }) === undefined) {
  writeFileSync(listed, '');
  throw new Error('half saved');
}
rmSync(listed);

test('is not known', () => undefined);
