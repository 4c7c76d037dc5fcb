/** Units and the few pure helpers that every part shares. Conversions happen here and nowhere else. */

export const SECTOR_BYTES = 512;
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** Told what is being done, and how far it is when that is known. */
export type Progress = (step: { what: string; done?: number; total?: number }) => void;

export function sectorsToBytes(sectors: number): number {
  return sectors * SECTOR_BYTES;
}

export function bytesToSectors(bytes: number): number {
  if (bytes % SECTOR_BYTES !== 0) throw new RangeError(`${bytes} bytes are not whole sectors`);
  return bytes / SECTOR_BYTES;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** The value, or undefined when it does not come in time. No timer is left running. */
export async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    if (timeoutMs !== Infinity) timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An argv as one would type it, shortened for messages. */
export function formatArgv(argv: readonly string[], charsMax = 200): string {
  const text = argv.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)).join(' ');
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
