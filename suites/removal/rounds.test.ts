/** What comes and goes again and again loses no memory, also none that the kernel's own code got for it.
 *  Method: the kernel's account of live allocations, by the place that asked for them, after rounds of the same;
 *  a place that keeps one of each round has lost them. */
import { expect, hasConfig, keptEachRound, test, type Lab } from '../fixtures/index.js';

const ROUNDS = 5;

const lives: readonly { readonly what: string; readonly spec: readonly [string, ...string[]]; readonly live: (l: Lab) => Promise<unknown> }[] = [
  { what: 'the module', spec: ['SNP-07'], live: async (l) => {
    await l.unloadModule();
    await l.loadModule();
  } },
  { what: 'a filter with a snapshot', spec: ['SNP-06'], live: async (l) => {
    const data = l.disk('data');
    await data.attach();
    const snapshot = await l.takeSnapshot(data);
    const image = await snapshot.image(data);
    await data.write(0, new Uint8Array(1 << 20).fill(1));
    await image.read(0, 1 << 20);
    await image.write(1 << 20, new Uint8Array(4096).fill(2));
    await snapshot.destroy();
    await data.detach();
  } },
];

for (const { what, spec, live } of lives) {
  test(`${what}, ${ROUNDS} times: nothing stays of each`, { meta: { spec } }, async ({ lab, settings, skip }) => {
    const l = await lab();
    for (const account of ['MEM_ALLOC_PROFILING', 'PERCPU_STATS']) {
      skip(!await hasConfig(l.guest, account), `a kernel of flavour ${settings.flavour} has no CONFIG_${account}`);
    }
    expect(await keptEachRound(l.guest, ROUNDS, () => live(l))).toEqual([]);
  });
}
