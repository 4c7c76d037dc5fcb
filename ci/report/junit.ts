/** JUnit XML of a run (schema: junit.xsd). Pure: the same report gives the same text.
 *  A broken product is a <failure>, a broken rig an <error>, a skip says why. */
import { count, type CaseReport, type Problem, type RunReport } from './model.js';
import { firstLine } from './text.js';
import { titleOf } from './variant.js';
import { element, textElement } from './xml.js';

export function junitXml(report: RunReport): string {
  const suites = bySuite(report.cases);
  const totals = tally(report.cases);
  const children = [...suites].map(([name, cases]) => suiteElement(name, cases, report));
  const root = element('testsuites', { name: 'blksnap-suite', ...totals, time: seconds(report.wallMs) }, children);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}\n`;
}

function suiteElement(name: string, cases: readonly CaseReport[], report: RunReport): string {
  const spentMs = cases.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const timestamp = report.startedAt.toISOString().replace(/\.\d+Z$/, '');
  return element('testsuite', { name, ...tally(cases), time: seconds(spentMs), timestamp }, [
    ...properties([...report.properties, ...report.origin]),
    ...cases.map((one) => caseElement(one, report)),
  ]);
}

function caseElement(one: CaseReport, report: RunReport): string {
  const { variant } = one;
  const facts: [string, string][] = one.specIds.map((id) => ['spec', id]);
  facts.push(...Object.entries({ ...Object.fromEntries(report.properties), ...variant?.facts }));
  if (variant !== undefined) facts.push(['variant', variant.label]);
  if (one.file !== '') facts.push(['file', one.file]);
  if (one.position !== undefined) facts.push(['position', String(one.position)]);
  for (const name of one.klogAllowed) facts.push(['klogAllowed', name]);
  for (const restoreMs of one.restoreMs) facts.push(['restoreMs', restoreMs.toFixed(0)]);
  for (const { kind, operation, point, hit, verdict } of one.faults) facts.push(['fault', JSON.stringify([kind, operation, point, hit, verdict])]);
  const className = one.file === '' ? one.suite : one.file.replace(/\.test\.ts$/, '').replaceAll('/', '.');
  const file = one.file === '' ? undefined : one.file;
  return element('testcase', { name: titleOf(one), classname: className, file, time: seconds(one.durationMs) }, [
    ...properties(facts),
    ...outcome(one),
  ]);
}

function outcome(one: CaseReport): string[] {
  switch (one.state) {
    case 'passed':
      return [];
    case 'skipped':
      return [element('skipped', { message: one.skipReason ?? 'no reason given' })];
    case 'pending':
      return [textElement('error', { message: 'did not finish', type: 'Unfinished' }, `repeat: ${one.repeat}`)];
    case 'failed':
    case 'error':
      return [problemElement(one)];
  }
}

/** One element per test, with every problem in its text: most readers look at the first one only. */
function problemElement(one: CaseReport): string {
  const wantedBlame = one.state === 'failed' ? 'product' : 'rig';
  const main = one.problems.find(({ blame }) => blame === wantedBlame) ?? one.problems[0];
  const tag = one.state === 'failed' ? 'failure' : 'error';
  const message = firstLine(main?.message ?? 'no message');
  return textElement(tag, { message, type: main?.type ?? 'Error' }, problemText(one));
}

export function problemText(one: CaseReport): string {
  const parts = one.problems.map(describe);
  if (one.klogTail.length > 0) parts.push(`last kernel messages:\n${one.klogTail.map((line) => `  ${line}`).join('\n')}`);
  if (one.remains !== undefined) parts.push(`remains: ${one.remains}`);
  return [...parts, `repeat: ${one.repeat}`].join('\n\n');
}

function describe(problem: Problem): string {
  const lines = [`${problem.type}: ${problem.message}`];
  if (problem.expected !== undefined) lines.push(`expected: ${problem.expected}`);
  if (problem.seen !== undefined) lines.push(`seen: ${problem.seen}`);
  if (problem.detail !== '') lines.push(problem.detail);
  return lines.join('\n');
}

function properties(facts: readonly (readonly [string, string])[]): string[] {
  if (facts.length === 0) return [];
  return [element('properties', {}, facts.map(([name, value]) => element('property', { name, value })))];
}

function tally(cases: readonly CaseReport[]) {
  const { failed, errors, skipped } = count(cases);
  return { tests: cases.length, failures: failed, errors, skipped };
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}

function bySuite(cases: readonly CaseReport[]): Map<string, CaseReport[]> {
  const suites = new Map<string, CaseReport[]>();
  for (const one of cases) {
    const members = suites.get(one.suite);
    if (members === undefined) suites.set(one.suite, [one]);
    else members.push(one);
  }
  return suites;
}
