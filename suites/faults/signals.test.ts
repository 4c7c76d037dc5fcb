/** A caller that gets a signal, or is killed, while its call waits: the call is done or was never begun, and all goes on.
 *  Method: a programmable disk holds the request that the call waits for; its stack tells that it sleeps there. Here one signal
 *  for each call, up to the seed, and both for what a signal ends by itself; all of both in signals.long.test.ts. */
import { test } from '../fixtures/index.js';
import { interrupt, signals, waitingCalls, type Signal } from './signals.js';

for (const one of waitingCalls) {
  test(`${one.call}: a signal while ${one.while} leaves nothing half done`, { meta: { spec: one.spec } }, async ({ lab, faults, random, skip }) => {
    const chosen = one.isInterruptible ? signals : [signals[random.below(signals.length)] as Signal];
    for (const signal of chosen) {
      const point = await interrupt(one, signal, lab);
      if (point === undefined) skip(`the module has nothing to wait for in ${one.call}`);
      else faults.record(point);
    }
  });
}
