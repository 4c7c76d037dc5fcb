/** A run as one JSON object, for --json. */
import { count, type RunReport } from './model.js';
import { median } from './summary.js';

export function jsonReport(report: RunReport, exitCode: number, junitPath: string): string {
  const { properties, origin, cases, startedAt, wallMs } = report;
  return JSON.stringify({
    ...Object.fromEntries([...properties, ...origin]),
    startedAt,
    wallMs,
    exitCode,
    counts: count(cases),
    medianRestoreMs: median(cases.flatMap(({ restoreMs }) => restoreMs)),
    junit: junitPath,
    tests: cases,
  });
}
