/** Compares a guest's clock with the host's, on a busy host too: only what must be is asked for. */
import { expect, type Lab } from '../fixtures/index.js';

interface Look {
  /** Host time before and after, guest time in between. */
  readonly beforeMs: number;
  readonly guestMs: number;
  readonly afterMs: number;
}

/** Of so many looks the one is kept that took the host the least time. */
const LOOKS = 5;
const INTERVAL_MS = 2000;
/** What /proc/uptime leaves out. */
const GRAIN_MS = 10;
/** For what the host's own clock is corrected by. */
const TOLERANCE = 0.01;

async function lookOnce({ guest }: Lab): Promise<Look> {
  const beforeMs = performance.now();
  const text = (await guest.readFile('/proc/uptime')).toString();
  return { beforeMs, guestMs: Number(text.split(' ')[0]) * 1000, afterMs: performance.now() };
}

async function look(lab: Lab): Promise<Look> {
  const looks: Look[] = [];
  for (let count = 0; count < LOOKS; count++) looks.push(await lookOnce(lab));
  return looks.reduce((best, one) => (one.afterMs - one.beforeMs < best.afterMs - best.beforeMs ? one : best));
}

/** Fails if the guest's clock went faster or slower than the host's while we looked. */
export async function expectPaceOfHost(lab: Lab): Promise<void> {
  const first = await look(lab);
  await new Promise((resolve) => { setTimeout(resolve, INTERVAL_MS); });
  const last = await look(lab);
  const passedMs = last.guestMs - first.guestMs;
  const atLeastMs = (last.beforeMs - first.afterMs) * (1 - TOLERANCE) - GRAIN_MS;
  const atMostMs = (last.afterMs - first.beforeMs) * (1 + TOLERANCE) + GRAIN_MS;
  expect(passedMs, 'the guest\'s clock is too slow').toBeGreaterThan(atLeastMs);
  expect(passedMs, 'the guest\'s clock is too fast').toBeLessThan(atMostMs);
}
