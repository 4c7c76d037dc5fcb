/** What the workers need to know, passed in the environment; suites/fixtures reads it. */
import type { KernelBuild, ModuleBuild } from '../../vm/index.js';

export interface SuiteSettings {
  readonly line: string;
  readonly flavour: string;
  readonly seed: number;
  readonly keep: boolean;
  readonly resultsDir: string;
  readonly runDir: string;
  readonly kernel: KernelBuild;
  readonly module: ModuleBuild;
}

export const settingsVariable = 'BLKSNAP_SUITE_SETTINGS';

export function passSettings(settings: Partial<SuiteSettings>): void {
  process.env[settingsVariable] = JSON.stringify(settings);
}
