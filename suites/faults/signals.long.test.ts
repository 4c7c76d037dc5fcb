/** As signals.test.ts, with each signal for each call. */
import { test } from '../fixtures/index.js';
import { interrupt, signals, waitingCalls } from './signals.js';

for (const one of waitingCalls) {
  for (const signal of signals) {
    test(`${one.call}: SIG${signal} while ${one.while} leaves nothing half done`, { meta: { spec: one.spec } }, async ({ lab, faults, skip }) => {
      const point = await interrupt(one, signal, lab);
      if (point === undefined) skip(`the module has nothing to wait for in ${one.call}`);
      else faults.record(point);
    });
  }
}
