/** The end of a run in words: what failed and how to repeat it, what it cost, and the closing line that others parse. */
import type { Progress } from '../session/progress.js';
import { faultLines } from './faults.js';
import { roundLines } from './flaky.js';
import { count, type CaseReport, type RunReport } from './model.js';
import { brief, duration, printable } from './text.js';
import { titleOf } from './variant.js';

const klogLinesShown = 5;
const messageLinesShown = 12;

/** One line as a test ends. */
export function caseLine(one: CaseReport, progress: Progress): string {
  const marks = { passed: 'ok  ', failed: 'FAIL', error: 'RIG ', skipped: 'skip', pending: '... ' } as const;
  const mark = one.state === 'skipped' ? marks.skipped : progress.paintOutcome(marks[one.state], one.state === 'passed');
  const notes = [one.specIds.join(' '), one.skipReason ?? '', duration(one.durationMs)].filter((note) => note !== '');
  return `${mark} ${one.suite} > ${titleOf(one)}  ${notes.join('  ')}`;
}

export function summaryLines(report: RunReport, junitPath: string): string[] {
  const counts = count(report.cases);
  const bad = report.cases.filter(({ state }) => state === 'failed' || state === 'error' || state === 'pending');
  const restoreMs = median(report.cases.flatMap((one) => one.restoreMs));
  return [
    ...bad.flatMap(badCaseLines),
    ...roundLines(report.cases),
    ...faultLines(report.cases).map(printable),
    '',
    [...report.properties].map(([name, value]) => `${name} ${value}`).join(', '),
    `${counts.failed} failed of the product, ${counts.errors} of the rig`,
    `wall time ${duration(report.wallMs)}${restoreMs === undefined ? '' : `, median guest cost ${Math.round(restoreMs)} ms`}`,
    `results: ${junitPath}`,
    closingLine(report.cases),
  ];
}

/** Exactly `N passed, N failed, N skipped`; rig errors count as failed here. */
export function closingLine(cases: readonly CaseReport[]): string {
  const { passed, failed, errors, skipped } = count(cases);
  return `${passed} passed, ${failed + errors} failed, ${skipped} skipped`;
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)];
  return sorted.length === 0 ? undefined : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function badCaseLines(one: CaseReport): string[] {
  const title = one.state === 'failed' ? 'product failed' : one.state === 'error' ? 'rig failed' : 'did not finish';
  const lines = ['', `${title}: ${one.suite} > ${titleOf(one)}  ${one.specIds.join(' ')}`.trimEnd()];
  for (const { type, message, expected, seen } of one.problems) {
    const [first = '', ...rest] = message.split('\n').slice(0, messageLinesShown);
    lines.push(`  ${type}: ${first}`, ...rest.map((line) => `    ${line}`));
    if (expected !== undefined) lines.push(`  expected: ${brief(expected)}`);
    if (seen !== undefined) lines.push(`  seen:     ${brief(seen)}`);
  }
  lines.push(...one.klogTail.slice(-klogLinesShown).map((line) => `  kernel: ${line}`));
  if (one.remains !== undefined) lines.push(`  remains: ${one.remains}`);
  return [...lines.map(printable), `  repeat: ${one.repeat}`];
}
