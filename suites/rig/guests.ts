/** Guests for tests of the rig itself: they are meant to die, so nobody looks them over at the end. */
import { openLab, type Lab, type LabOptions } from '../fixtures/lab.js';
import type { SuiteSettings } from '../fixtures/settings.js';

/** What a test's context offers as onTestFinished. */
type AtEnd = (close: () => Promise<void>) => void;

/** A guest without the module, unless asked for; closed when the test ends, whatever state it is in. */
export async function doomedLab({ settings, onTestFinished }: { settings: SuiteSettings; onTestFinished: AtEnd }, options: LabOptions = {}): Promise<Lab> {
  const lab = await openLab(settings, { loadModule: false, ...options });
  onTestFinished(() => lab.guest.close());
  return lab;
}

/** The error a promise rejects with and how long that took; fails if it resolves. */
export async function rejection(work: Promise<unknown>): Promise<{ error: unknown; elapsedMs: number }> {
  const started = performance.now();
  try {
    await work;
  } catch (error) {
    return { error, elapsedMs: performance.now() - started };
  }
  throw new Error('expected a rejection, but the call succeeded');
}
