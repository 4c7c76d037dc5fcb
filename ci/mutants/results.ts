/** What is known of each mutant, as text for people, as JSON, and as cases of the run's JUnit. Pure. */
import { pendingCase, type CaseReport } from '../report/model.js';
import { repeatRun, type RepeatChoices } from '../report/repeat.js';
import { duration } from '../report/text.js';
import type { Mutant } from './load.js';
import type { Sight } from './trial.js';
import type { Judgement } from './verdict.js';

/** `broken`: it does not apply, does not build or does not boot, so nothing was tried. `equivalent`: nobody could tell, says an argument. */
export interface MutantResult extends Omit<Judgement, 'verdict'> {
  readonly mutant: Mutant;
  readonly verdict: Judgement['verdict'] | 'broken' | 'equivalent';
  /** From the start of its tests to the first failure; undefined when nothing killed it. */
  readonly killedAfterMs: number | undefined;
  /** Which tests could see it; undefined unless all were wanted. */
  readonly sight: Sight | undefined;
  /** Building and testing. */
  readonly wallMs: number;
}

const namesShown = 3;
/** A written mutant names a few; a systematic one all. */
const idsShown = 12;

export function mutantsTable(results: readonly MutantResult[]): string[] {
  const rows = results.map((result) => [
    result.mutant.name,
    result.mutant.specIds.length > idsShown ? 'any' : result.mutant.specIds.join(' '),
    result.killedAfterMs === undefined ? '' : duration(result.killedAfterMs),
    whatHappened(result),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...[['mutant', 'ids', 'after'], ...rows].map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd();
  return [line(['mutant', 'ids', 'after', 'killed by']), ...results.flatMap((result, index) => [line(rows[index] ?? []), ...details(result)])];
}

/** `N killed, N survived, N say nothing`, and how many exactly when all tests ran. */
export function mutantsCount(results: readonly MutantResult[]): string {
  const having = (...verdicts: MutantResult['verdict'][]) => results.filter(({ verdict }) => verdicts.includes(verdict)).length;
  const known = results.filter(({ isExact }) => isExact !== undefined);
  const exact = known.length > 0 ? `, ${known.filter(({ isExact }) => isExact).length} of ${known.length} by exactly the tests of its ids` : '';
  const argued = having('equivalent');
  return `${having('killed')} killed, ${argued > 0 ? `${argued} argued equivalent, ` : ''}${having('survived')} survived, `
    + `${having('unknown', 'broken')} say nothing${exact}`;
}

export function mutantsJson(results: readonly MutantResult[]): object {
  return {
    mutants: results.map(({ mutant, ...rest }) => ({
      name: mutant.name, file: mutant.file, specIds: mutant.specIds, ...rest,
      killedAfterMs: rest.killedAfterMs ?? null, isExact: rest.isExact ?? null, note: rest.note ?? null,
    })),
  };
}

/** `selected` are the words that choose it: a systematic one has no name to be called by, and is in its turn again. */
export function mutantCase({ name, file, specIds }: Mutant, choices: RepeatChoices, how: readonly string[] = []): CaseReport {
  const repeat = repeatRun(['mutants', name, ...how], choices);
  return pendingCase({ id: mutantCaseId(name), suite: 'mutants', file, name, specIds, repeat });
}

export function mutantCaseId(name: string): string {
  return `mutant:${name}`;
}

/** Survived: our tests failed. Anything else that is not killed is the rig's. */
export function applyToCase(one: CaseReport, { verdict, note, wallMs }: MutantResult): void {
  one.durationMs = wallMs;
  if (verdict === 'equivalent') {
    one.state = 'skipped';
    one.skipReason = `equivalent: ${note ?? ''}`;
    return;
  }
  one.state = verdict === 'killed' ? 'passed' : verdict === 'survived' ? 'failed' : 'error';
  const blame = verdict === 'survived' ? 'product' : 'rig';
  const message = verdict === 'survived' ? `survived: ${note ?? ''}` : note ?? verdict;
  one.problems = verdict === 'killed' ? [] : [{ blame, isNamed: true, type: `Mutant${verdict}`, message, detail: '' }];
}

function whatHappened({ verdict, killedBy, note }: MutantResult): string {
  if (verdict !== 'killed') return `${verdict === 'survived' ? '**survived**' : verdict}: ${note?.split('\n')[0] ?? ''}`;
  const more = killedBy.length > 1 ? ` (and ${killedBy.length - 1} more)` : '';
  return `${shortName(killedBy[0] ?? '')}${more}`;
}

function details({ isExact, alsoFailed, killedBy, passed, sight, unsure }: MutantResult): string[] {
  const some = (what: string, names: readonly string[]) => (names.length === 0 ? [] : [
    `  ${names.length} ${what}:`, ...names.slice(0, namesShown).map((name) => `    ${shortName(name)}`),
    ...(names.length > namesShown ? [`    and ${names.length - namesShown} more`] : [])]);
  return [
    ...(sight === undefined ? [] : [
      `  ${sight.seeing} of ${sight.total} tests reach it, of those that name an id ${sight.ownSeeing} of ${sight.own}: ${killedBy.length} failed`]),
    ...(isExact === true ? ['  exactly tests of its ids failed'] : []),
    ...some('failed though they name none of its ids', alsoFailed),
    ...(isExact === undefined ? [] : some('name an id, reach it, and passed', passed)),
    ...some('say nothing: the rig failed, or they fail without the mutant too', unsure),
  ];
}

function shortName(name: string): string {
  return name.replace(/^suites\//, '');
}

