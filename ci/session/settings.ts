/** Passes to the workers what they need to know, in the environment; suites/fixtures/settings.ts reads it. */
import type { SuiteSettings } from '../../suites/fixtures/settings.js';

export const settingsVariable = 'BLKSNAP_SUITE_SETTINGS';

/** The environment of workers that are to know these. */
export function environmentOf(settings: Partial<SuiteSettings>): Record<string, string> {
  return { [settingsVariable]: JSON.stringify(settings) };
}

/** To all: what runs in this process, its workers, and the time limits in ci/vitest.config.ts. */
export function passSettings(settings: Partial<SuiteSettings>): void {
  Object.assign(process.env, environmentOf(settings));
}
