/** Recorded streams give the verdicts that stand beside them. Method: each file in recorded/ is parsed and compared
 *  with its .expected.json, so a stream added there (with `npm run unit -- recorded -u`) is a test added. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseKtap } from '../../../vm/ktap/parse.js';

const folder = new URL('./recorded/', import.meta.url);
const streams = readdirSync(folder).filter((name) => !name.endsWith('.json'));

test.for(streams)('%s gives its recorded verdicts', async (name) => {
  const run = parseKtap(readFileSync(new URL(name, folder), 'utf8'));
  await expect(`${JSON.stringify(run, null, 2)}\n`).toMatchFileSnapshot(`recorded/${name}.expected.json`);
});
