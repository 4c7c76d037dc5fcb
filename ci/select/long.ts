/** Tests that take minutes for what a sample shows in seconds, in files named *.long.test.ts: they run when they are asked for. */
import type { Selection } from './select.js';

export interface Shortened {
  readonly selection: Selection;
  /** Tests left out. */
  readonly left: number;
}

export function isLong(file: string): boolean {
  return file.endsWith('.long.test.ts');
}

export function withoutLong({ tests, broken }: Selection): Shortened {
  const short = tests.filter(({ file }) => !isLong(file));
  return { selection: { tests: short, broken }, left: tests.length - short.length };
}

export function leftOut(tests: number): string {
  return `${tests} tests that take long are left out: --long takes them along`;
}
