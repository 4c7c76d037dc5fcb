/** Code that one CPU changes while another runs it is run as it is now: filters are switched on and off that way, and so is
 *  much of the kernel. QEMU before 8.1 went on with what was there before, and guests died of it at random; see
 *  kernel-patches/6.12/guest/. Method: a module that changes a branch over and over (repatch/). */
import { fileURLToPath } from 'node:url';
import { test } from '../fixtures/index.js';
import { insertOwnModule } from '../fixtures/own-module.js';

const ROUNDS = 5000;

test('a branch that one CPU switches is not run as it was by another', async ({ lab }) => {
  const { guest } = await lab({ loadModule: false });
  await insertOwnModule(guest, fileURLToPath(new URL('repatch/', import.meta.url)), { rounds: ROUNDS });
});
