/** Which tests prove which line of the table, and what is missing. Pure. */
import type { Collected, KnownTest } from '../select/collect.js';
import type { Ended, LastResult, LastResults } from './last-results.js';
import type { Behaviour, Spec } from './load.js';

export interface ProvingTest extends Ended {
  readonly file: string;
  readonly name: string;
}

export interface Proof extends Behaviour {
  readonly tests: readonly ProvingTest[];
  /** Failed when one test did, passed when all did. */
  readonly result: LastResult;
}

export interface UnknownId {
  readonly id: string;
  readonly file: string;
  readonly name: string;
}

export function proofs({ behaviours }: Spec, tests: readonly KnownTest[], last: LastResults): Proof[] {
  return behaviours.map((behaviour) => {
    const proving = tests.filter(({ specIds }) => specIds.includes(behaviour.id))
      .map(({ file, name }): ProvingTest => ({ file, name, ...last.endOf(file, name) }));
    return { ...behaviour, tests: proving, result: together(proving) };
  });
}

/** Ids that are due and that no test names. */
export function unprovedIds(spec: Spec, tests: Collected['tests']): string[] {
  const named = new Set(tests.flatMap(({ specIds }) => specIds));
  return spec.behaviours.filter(({ id, laterReason }) => laterReason === undefined && !named.has(id)).map(({ id }) => id);
}

/** Ids that tests name and the table does not have. */
export function unknownIds(spec: Spec, tests: Collected['tests']): UnknownId[] {
  const known = new Set(spec.behaviours.map(({ id }) => id));
  return tests.flatMap(({ file, name, specIds }) => specIds.filter((id) => !known.has(id)).map((id) => ({ id, file, name })));
}

function together(tests: readonly ProvingTest[]): LastResult {
  if (tests.some(({ result }) => result === 'failed')) return 'failed';
  return tests.length > 0 && tests.every(({ result }) => result === 'passed') ? 'passed' : 'not run';
}
