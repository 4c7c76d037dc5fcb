/** npm start -- spec: every line of the table with the tests that prove it and how they last ended. Pure. */
import { exitCodes } from '../cli/exit-codes.js';
import type { Collected } from '../select/collect.js';
import type { LastRun } from './last-results.js';
import type { Spec } from './load.js';
import { proofs, unknownIds, unprovedIds, type Proof, type UnknownId } from './proofs.js';

export interface SpecReport {
  readonly proofs: readonly Proof[];
  readonly unproved: readonly string[];
  readonly unknown: readonly UnknownId[];
  /** Files that do not load: their tests are missing from the proofs. */
  readonly broken: readonly { readonly file: string; readonly error: string }[];
  /** Where the last results come from; undefined when there are none. */
  readonly resultsFrom: string | undefined;
}

export function specReport(spec: Spec, { tests, broken }: Collected, last: LastRun): SpecReport {
  return {
    proofs: proofs(spec, tests, last),
    unproved: unprovedIds(spec, tests),
    unknown: unknownIds(spec, tests),
    broken: broken.map(({ file, error }) => ({ file, error })),
    resultsFrom: last.from,
  };
}

export function specText(report: SpecReport): string {
  const later = report.proofs.filter(isLater);
  return [
    ...report.proofs.flatMap(proofLines),
    '',
    `last results: ${report.resultsFrom ?? 'none, nothing ran yet'}`,
    ...report.broken.map(({ file, error }) => `does not load: ${file}: ${error}`),
    ...report.unknown.map(({ id, file, name }) => `unknown id ${id}: ${file} > ${name}`),
    ...(later.length > 0 ? [`${later.length} more ids come later: ${later.map(({ id }) => id).join(' ')}`] : []),
    closingLine(report),
  ].join('\n');
}

export function specJson(report: SpecReport): string {
  const { proved, ids } = counts(report);
  return JSON.stringify({
    ids,
    proved,
    unproved: report.unproved,
    unknown: report.unknown,
    broken: report.broken,
    results: report.resultsFrom ?? null,
    behaviours: report.proofs.map(({ laterReason, ...proof }) => ({ ...proof, later: laterReason ?? null })),
  });
}

export function specExitCode({ unproved, unknown, broken }: SpecReport): number {
  if (broken.length > 0) return exitCodes.rigFailed;
  return unproved.length + unknown.length > 0 ? exitCodes.productFailed : exitCodes.passed;
}

/** `N ids, N proved, N unproved: …`; ids that come later and have no test are not counted. */
function closingLine(report: SpecReport): string {
  const { ids, proved } = counts(report);
  const names = report.unproved.length > 0 ? `: ${report.unproved.join(' ')}` : '';
  return `${ids} ids, ${proved} proved, ${report.unproved.length} unproved${names}`;
}

function counts({ proofs: all }: SpecReport): { ids: number; proved: number } {
  return { ids: all.filter((proof) => !isLater(proof)).length, proved: all.filter(({ tests }) => tests.length > 0).length };
}

function isLater({ laterReason, tests }: Proof): boolean {
  return laterReason !== undefined && tests.length === 0;
}

function proofLines(proof: Proof): string[] {
  const { id, where, sentence, tests } = proof;
  return [
    `${id} (${where}) ${sentence}`,
    `  ${tests.length === 0 ? noTest(proof) : `${tests.length} ${tests.length === 1 ? 'test' : 'tests'}, ${resultWords(proof)}`}`,
    ...tests.map(({ file, name, result }) => `    ${result.padEnd('not run'.length)}  ${file} > ${name}`),
  ];
}

function noTest({ laterReason }: Proof): string {
  return laterReason === undefined ? 'no test proves it' : `later: ${laterReason}`;
}

function resultWords({ tests, result }: Proof): string {
  const counted = (['failed', 'passed', 'not run'] as const)
    .map((one) => ({ one, count: tests.filter((test) => test.result === one).length }))
    .filter(({ count }) => count > 0);
  return counted.length === 1 ? `last result: ${result}` : `last result: ${counted.map(({ one, count }) => `${count} ${one}`).join(', ')}`;
}
