/** Kernel log records as /dev/kmsg gives them; pure. */

export interface KlogLine {
  /** 0 emergency to 7 debug. */
  readonly level: number;
  /** Monotonic guest time. */
  readonly timeUs: number;
  readonly text: string;
}

/** One record: "prefix;text", then lines that begin with a space and are not part of the text. */
export function parseKmsg(record: string): KlogLine | undefined {
  const match = /^(\d+),\d+,(\d+)[^;]*;([^\n]*)/.exec(record);
  if (!match) return undefined;
  const escaped = match[3] as string;
  const text = escaped.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return { level: Number(match[1]) & 7, timeUs: Number(match[2]), text };
}

/** The number of a record: they follow one another, and what is missing was overwritten before it could be read. Pure. */
export function sequenceOf(record: string): number | undefined {
  const [, sequence] = /^\d+,(\d+),/.exec(record) ?? [];
  return sequence === undefined ? undefined : Number(sequence);
}

/** Stands where records are missing; suites/kernel-log.yaml knows the words. */
export function lostRecords(count: number, timeUs: number): KlogLine {
  return { level: 3, timeUs, text: `klog: ${count} records were overwritten before they were read` };
}

/** As dmesg prints it. */
export function formatKlog(line: KlogLine): string {
  return `[${(line.timeUs / 1e6).toFixed(6).padStart(12)}] ${line.text}`;
}
