/** A run in Markdown, for the page that GitHub shows for a job ($GITHUB_STEP_SUMMARY). Pure. */
import { roundFailures } from './flaky.js';
import { count, type CaseReport, type RunReport } from './model.js';
import { closingLine } from './summary.js';
import { brief, duration, printable } from './text.js';
import { titleOf } from './variant.js';

/** GitHub shows up to 1 MiB; who has more failures reads the report. */
const failuresShown = 50;

export function markdown(report: RunReport): string {
  const bad = report.cases.filter(({ state }) => state === 'failed' || state === 'error' || state === 'pending');
  const facts = [...report.properties, ...report.origin].map(([name, value]) => `${name} ${code(value)}`).join(', ');
  return [
    `## ${closingLine(report.cases)}`,
    '',
    `${facts}, wall time ${duration(report.wallMs)}`,
    '',
    ...suiteTable(report.cases),
    ...bad.slice(0, failuresShown).flatMap(failure),
    ...(bad.length > failuresShown ? ['', `${bad.length - failuresShown} more are in junit.xml.`] : []),
    ...roundFailures(report.cases).map(({ suite, name, rounds, failed }) =>
      `\n${failed.length < rounds ? 'Flaky' : 'Always fails'}: ${text(`${suite} > ${name}`)}, in ${failed.length} of ${rounds} rounds.`),
    '',
  ].join('\n');
}

function suiteTable(cases: readonly CaseReport[]): string[] {
  const rows = [...new Set(cases.map(({ suite }) => suite))].map((suite) => {
    const own = cases.filter((one) => one.suite === suite);
    const { passed, failed, errors, skipped } = count(own);
    const spentMs = own.reduce((sum, { durationMs }) => sum + durationMs, 0);
    return `| ${text(suite)} | ${passed} | ${failed} | ${errors} | ${skipped} | ${duration(spentMs)} |`;
  });
  return ['| suite | passed | product failed | rig failed | skipped | time |', '| --- | ---: | ---: | ---: | ---: | ---: |', ...rows];
}

function failure(one: CaseReport): string[] {
  const blame = one.state === 'failed' ? 'product failed' : one.state === 'error' ? 'rig failed' : 'did not finish';
  const said = one.problems.map(({ type, message }) => brief(`${type}: ${message}`));
  return ['', `**${blame}: ${text(`${one.suite} > ${titleOf(one)}`)}** ${one.specIds.join(' ')}`.trimEnd(), '', fenced([...said, `repeat: ${one.repeat}`])];
}

/** Indented text is code whatever it holds, also rows of backquotes. */
function fenced(lines: readonly string[]): string {
  return lines.map((line) => `    ${printable(line)}`).join('\n');
}

function text(value: string): string {
  return printable(value).replace(/[\\`*_{}[\]<>|#]/g, '\\$&');
}

function code(value: string): string {
  return `\`${printable(value).replaceAll('`', '\'')}\``;
}
