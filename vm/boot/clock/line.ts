/** What a guest's kernel is told about time, so that it measures none of it by a timer chip that a busy host serves late. */
import { readFile } from 'node:fs/promises';
import type { LockOptions } from '../../cache/lock.js';
import type { KernelBuild } from '../../kernel/types.js';
import type { AcceleratorName } from '../argv.js';
import { counterRate } from './rate.js';

/** Words of the kernel's command line; none under KVM, which tells by itself, or where the host's counter is not x86's. */
export async function clockLineArgs(
  kernel: KernelBuild, accelerator: AcceleratorName, options: LockOptions = {},
): Promise<string[]> {
  if (accelerator !== 'tcg' || process.arch !== 'x64') return [];
  return clockWords(await counterRate(options), await readFile(kernel.configPath, 'utf8'));
}

/** `lpj` is what udelay() counts by. The kernel derives it for its first processor and measures it for the others. Pure. */
export function clockWords(counterKhz: number, config: string): string[] {
  const hz = /^CONFIG_HZ=(\d+)$/m.exec(config)?.[1];
  return [`tsc_early_khz=${counterKhz}`, ...(hz === undefined ? [] : [`lpj=${Math.floor(counterKhz * 1000 / Number(hz))}`])];
}
