/** The faults that the tests of a run injected, as tables: how many points of each operation were made to fail, and what was
 *  taken away in which phase. Pure. */
import type { FaultKind, FaultPoint } from '../../vm/index.js';
import type { CaseReport } from './model.js';

/** Counted side by side, an operation a line. */
const counted: readonly FaultKind[] = ['allocation', 'io', 'call', 'crash'];
/** Shown as a grid of operation and point. */
const gridded: readonly FaultKind[] = ['stall', 'removal'];

interface Injected extends FaultPoint {
  /** The test that injected it has passed. */
  readonly isGood: boolean;
}

export function faultLines(cases: readonly CaseReport[]): string[] {
  const all = injected(cases);
  if (all.length === 0) return [];
  return ['', ...countTable(all), ...gridded.flatMap((kind) => grid(kind, all.filter((one) => one.kind === kind))), '', total(all)];
}

/** Distinct points; what a test did again in another round or on another flavour is the same point. */
function injected(cases: readonly CaseReport[]): Injected[] {
  const byPlace = new Map<string, Injected>();
  for (const { faults, state } of cases) {
    for (const fault of faults) {
      const key = JSON.stringify([fault.kind, fault.operation, fault.point]);
      byPlace.set(key, { ...fault, isGood: state === 'passed' && (byPlace.get(key)?.isGood ?? true) });
    }
  }
  return [...byPlace.values()];
}

function countTable(all: readonly Injected[]): string[] {
  const points = all.filter(({ kind }) => counted.includes(kind));
  if (points.length === 0) return [];
  const kinds = counted.filter((kind) => points.some((one) => one.kind === kind));
  const rows = [...new Set(points.map(({ operation }) => operation))].map((operation) => [
    operation,
    ...kinds.map((kind) => cell(points.filter((one) => one.kind === kind && one.operation === operation))),
  ]);
  return table([['faults injected in', ...kinds], ...rows]);
}

function cell(points: readonly Injected[]): string {
  const bad = points.filter(({ isGood }) => !isGood).length;
  return `${points.length || ''}${bad > 0 ? ` (${bad} in failed tests)` : ''}`;
}

/** Points are numbered below the table: their names are too long for the heads of columns. */
function grid(kind: FaultKind, all: readonly Injected[]): string[] {
  if (all.length === 0) return [];
  const points = [...new Set(all.map(({ point }) => point))];
  const operations = [...new Set(all.map(({ operation }) => operation))];
  const mark = (operation: string, point: string): string => {
    const one = all.find((fault) => fault.operation === operation && fault.point === point);
    return one === undefined ? '' : !one.isGood ? 'FAIL' : one.verdict.startsWith('cannot be') ? '-' : 'ok';
  };
  const heads = points.map((_, at) => `${at + 1}`);
  return [
    '',
    ...table([[`${kind} during`, ...heads], ...operations.map((operation) => [operation, ...points.map((point) => mark(operation, point))])]),
    ...points.map((point, at) => `  ${at + 1}: ${point}`),
    ...all.filter(({ verdict }) => verdict.startsWith('cannot be')).map(({ operation, point, verdict }) => `  -: ${operation}, ${point}: ${verdict}`),
  ];
}

function total(all: readonly Injected[]): string {
  const parts = [...new Set(all.map(({ kind }) => kind))].map((kind) => `${kind} ${all.filter((one) => one.kind === kind).length}`);
  const bad = all.filter(({ isGood }) => !isGood).length;
  return `${all.length} fault points: ${parts.join(', ')}; ${bad === 0 ? 'each in a test that passed' : `${bad} of them in tests that failed`}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => row.map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0))).join('  ').trimEnd());
}
