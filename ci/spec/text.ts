/** npm start -- spec as text: each id with its tests, then a table of the groups, then what is missing. Pure. */
import { groupOf } from './filter.js';
import type { Proof, ProvingTest } from './proofs.js';
import { counts, isLater, type SpecReport } from './report.js';

export function specText(report: SpecReport): string {
  const later = report.proofs.filter(isLater);
  const newest = report.runs[0]?.from;
  return [
    ...report.proofs.flatMap((proof) => proofLines(proof, newest)),
    '',
    ...groupTable(report.proofs),
    '',
    ...runLines(report),
    ...report.broken.map(({ file, error }) => `does not load: ${file}: ${error}`),
    ...report.unknown.map(({ id, file, name }) => `unknown id ${id}: ${file} > ${name}`),
    ...(later.length > 0 ? [`${later.length} more ids come later: ${later.map(({ id }) => id).join(' ')}`] : []),
    closingLine(report),
  ].join('\n');
}

function proofLines(proof: Proof, newest: string | undefined): string[] {
  const { id, where, sentence, tests } = proof;
  return [
    `${id} (${where}) ${sentence}`,
    `  ${tests.length === 0 ? noTest(proof) : `${tests.length} ${tests.length === 1 ? 'test' : 'tests'}, ${resultWords(proof)}`}`,
    ...tests.map((test) => testLine(test, newest)),
  ];
}

/** The run is named where it is not the newest one. */
function testLine({ file, name, result, from }: ProvingTest, newest: string | undefined): string {
  const run = from === undefined || from === newest ? '' : `  (${runName(from)})`;
  return `    ${result.padEnd('not run'.length)}  ${file} > ${name}${run}`;
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

function groupTable(proofs: readonly Proof[]): string[] {
  const groups = [...new Set(proofs.map(({ id }) => groupOf(id)))];
  const rows = groups.map((group) => {
    const own = proofs.filter((proof) => groupOf(proof.id) === group);
    const having = (result: Proof['result']) => own.filter((proof) => proof.tests.length > 0 && proof.result === result).length;
    const tests = new Set(own.flatMap((proof) => proof.tests.map(({ file, name }) => `${file} > ${name}`))).size;
    const missing = own.filter((proof) => proof.tests.length === 0).length;
    return [group, own.length, tests, having('passed'), having('failed'), having('not run'), missing];
  });
  return [['group', 'ids', 'tests', 'passed', 'failed', 'not run', 'no test'], ...rows]
    .map((row) => row.map((cell, at) => (at === 0 ? String(cell).padEnd(5) : String(cell).padStart(9))).join(''));
}

function runLines({ runs }: SpecReport): string[] {
  if (runs.length === 0) return ['last results: none, nothing ran yet'];
  const [newest, ...older] = runs.map(({ from, tests }) => ({ from, tests: `${tests} ${tests === 1 ? 'test' : 'tests'}` }));
  return [
    `last results: ${newest?.from} (${newest?.tests})`,
    ...older.map(({ from, tests }) => `     not in it: ${from} (${tests})`),
  ];
}

/** `N ids, N proved, N unproved: …`; ids that come later and have no test are not counted. */
function closingLine(report: SpecReport): string {
  const { ids, proved } = counts(report);
  const names = report.unproved.length > 0 ? `: ${report.unproved.join(' ')}` : '';
  return `${ids} ids, ${proved} proved, ${report.unproved.length} unproved${names}`;
}

function runName(from: string): string {
  return from.split('/').at(-2) ?? from;
}
