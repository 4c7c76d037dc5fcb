/** Tests that passed in some rounds of --repeat and failed in others, and those that failed in each. Pure. */
import type { CaseReport } from './model.js';

export interface RoundFailures {
  readonly suite: string;
  readonly name: string;
  /** Rounds in which the test passed or failed. */
  readonly rounds: number;
  readonly failed: readonly CaseReport[];
}

/** Tests that failed in at least one round, by their order in the run. */
export function roundFailures(cases: readonly CaseReport[]): RoundFailures[] {
  const byTest = new Map<string, CaseReport[]>();
  for (const one of cases) {
    if (one.variant?.facts['round'] === undefined) continue;
    const key = `${one.file} > ${one.name}`;
    byTest.set(key, [...(byTest.get(key) ?? []), one]);
  }
  return [...byTest.values()].flatMap((rounds) => {
    const ran = rounds.filter(({ state }) => state !== 'skipped' && state !== 'pending');
    const failed = ran.filter(({ state }) => state !== 'passed');
    const [first] = failed;
    return first === undefined ? [] : [{ suite: first.suite, name: first.name, rounds: ran.length, failed }];
  });
}

export function roundLines(cases: readonly CaseReport[]): string[] {
  return roundFailures(cases).flatMap(({ suite, name, rounds, failed }) => [
    '',
    `${failed.length < rounds ? 'flaky' : 'always fails'}: ${suite} > ${name}: failed in ${failed.length} of ${rounds} rounds`,
    ...failed.map(({ variant, repeat }) => `  ${variant?.label}, seed ${variant?.facts['seed']}: ${repeat}`),
  ]);
}
