/** npm start -- spec: every line of the table with the tests that prove it and how they last ended. Pure. */
import { exitCodes } from '../cli/exit-codes.js';
import type { Collected } from '../select/collect.js';
import { filterSpec } from './filter.js';
import type { LastResults } from './last-results.js';
import type { Spec } from './load.js';
import { proofs, unknownIds, unprovedIds, type Proof, type UnknownId } from './proofs.js';

export interface SpecReport {
  readonly proofs: readonly Proof[];
  readonly unproved: readonly string[];
  readonly unknown: readonly UnknownId[];
  /** Files that do not load: their tests are missing from the proofs. */
  readonly broken: readonly { readonly file: string; readonly error: string }[];
  /** Where the last results come from, newest first, and how many of the tests each has. */
  readonly runs: readonly { readonly from: string; readonly tests: number }[];
}

/** `words` are ids or groups to show; none means all. */
export function specReport(spec: Spec, { tests, broken }: Collected, last: LastResults, words: readonly string[] = []): SpecReport {
  const shown = filterSpec(spec, words);
  const proved = proofs(shown, tests, last);
  return {
    proofs: proved,
    unproved: unprovedIds(shown, tests),
    unknown: words.length === 0 ? unknownIds(spec, tests) : [],
    broken: broken.map(({ file, error }) => ({ file, error })),
    runs: runsIn(proved),
  };
}

export function specJson(report: SpecReport): string {
  const { proved, ids } = counts(report);
  return JSON.stringify({
    ids,
    proved,
    unproved: report.unproved,
    unknown: report.unknown,
    broken: report.broken,
    runs: report.runs,
    behaviours: report.proofs.map(({ laterReason, ...proof }) => ({ ...proof, later: laterReason ?? null })),
  });
}

export function specExitCode({ unproved, unknown, broken }: SpecReport): number {
  if (broken.length > 0) return exitCodes.rigFailed;
  return unproved.length + unknown.length > 0 ? exitCodes.productFailed : exitCodes.passed;
}

export function counts({ proofs: all }: SpecReport): { ids: number; proved: number } {
  return { ids: all.filter((proof) => !isLater(proof)).length, proved: all.filter(({ tests }) => tests.length > 0).length };
}

export function isLater({ laterReason, tests }: Proof): boolean {
  return laterReason !== undefined && tests.length === 0;
}

function runsIn(proved: readonly Proof[]): SpecReport['runs'] {
  const runs = new Map<string, Set<string>>();
  for (const { file, name, from } of proved.flatMap(({ tests }) => tests)) {
    if (from !== undefined) runs.set(from, (runs.get(from) ?? new Set()).add(`${file} > ${name}`));
  }
  return [...runs].map(([from, tests]) => ({ from, tests: tests.size }))
    .sort((a, b) => b.from.localeCompare(a.from, 'en', { numeric: true }));
}
