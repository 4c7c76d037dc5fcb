/** How fast the counter runs that guests take their time from.
 *
 *  Under TCG a guest's time stamp counter is the host's own. Left to itself, a guest that boots on a busy host measures it
 *  wrongly, by an emulated timer chip that is served late: its clock then goes up to several times too fast, and so does
 *  that of every guest restored from it. So each guest is told (line.ts), and its checkpoint fits hosts of this rate alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, readJson } from '../../cache/folder.js';
import { withLock, type LockOptions } from '../../cache/lock.js';
import { writeFileAtomic } from '../../cache/temporary.js';
import { buildTools } from '../../kernel/tool.js';
import { exec } from '../../proc/exec.js';
import { hostKey } from '../host.js';

interface Remembered {
  /** Which host, and which boot of it, `khz` is of. */
  readonly host: string;
  readonly khz: number;
  readonly measuredMs: number;
  /** Every rate that checkpoints of this cache were ever made with. */
  readonly known: readonly number[];
}

/** Two measurements of one counter differ by some ppm, two makes of processor by far more; a guest needs no better clock. */
const SAME_PPM = 500;
/** A virtual host may go on elsewhere, on a counter of another rate, without a boot. */
const VALID_MS = 3_600_000;
const MEASURE_TIMEOUT_MS = 30_000;

let memory: Promise<number> | undefined;

/** In kHz; measured unless that was done shortly before. For x86 hosts. */
export async function counterRate(options: LockOptions = {}): Promise<number> {
  memory ??= find(options);
  memory.catch(() => {
    memory = undefined;
  });
  return memory;
}

async function find(options: LockOptions): Promise<number> {
  const file = join(cacheFolder(), 'clock.json');
  const host = `${hostKey()}/${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()}`;
  const remembered = (found: Remembered | undefined): number | undefined => (
    found?.host === host && Math.abs(Date.now() - found.measuredMs) < VALID_MS ? found.khz : undefined);
  return remembered(await readJson(file)) ?? withLock('clock', options, async () => {
    const found = await readJson<Remembered>(file);
    const meanwhile = remembered(found);
    if (meanwhile !== undefined) return meanwhile;
    const known = found?.known ?? [];
    const khz = settleRate(await measureRate(options), known);
    const remember: Remembered = { host, khz, measuredMs: Date.now(), known: [...new Set([...known, khz])] };
    await writeFileAtomic(file, `${JSON.stringify(remember, null, 2)}\n`);
    return khz;
  });
}

export async function measureRate(options: LockOptions = {}): Promise<number> {
  const { dir } = await buildTools(options, { 'tsc-rate': 'vm/boot/clock/tsc-rate.c' });
  const { stdout } = await exec([join(dir, 'tsc-rate')], { phase: 'clock', timeoutMs: MEASURE_TIMEOUT_MS });
  return Number(stdout);
}

/** The known rate that this measurement is of, else itself: no noise may make new checkpoints. Pure. */
export function settleRate(measuredKhz: number, known: readonly number[]): number {
  return known.find((khz) => Math.abs(khz - measuredKhz) * 1e6 <= measuredKhz * SAME_PPM) ?? measuredKhz;
}
