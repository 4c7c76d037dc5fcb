/** Passes to the workers what they need to know, in the environment; suites/fixtures/settings.ts reads it. */
import type { SuiteSettings } from '../../suites/fixtures/settings.js';

export const settingsVariable = 'BLKSNAP_SUITE_SETTINGS';

export function passSettings(settings: Partial<SuiteSettings>): void {
  process.env[settingsVariable] = JSON.stringify(settings);
}
