/** What a run of tests on a mutant says about it. Pure.
 *
 *  Killed: a test that names one of its ids fails, and the product is to blame. A rig error kills nothing, nor does a
 *  test that fails without the mutant too. */
import type { CaseReport } from '../report/model.js';

export type MutantVerdict = 'killed' | 'survived' | 'unknown';

export interface Judgement {
  readonly verdict: MutantVerdict;
  /** Tests that name an id of the mutant and failed. */
  readonly killedBy: readonly string[];
  /** Tests that failed though they name none of its ids. */
  readonly alsoFailed: readonly string[];
  /** Tests that name an id and passed: another breakage may be what they catch. */
  readonly passed: readonly string[];
  /** Tests that ended as errors of the rig, or that fail without the mutant too. */
  readonly unsure: readonly string[];
  /** Only tests of the ids failed, of all that there are; undefined when not all of them ran. */
  readonly isExact: boolean | undefined;
  /** Why it is unknown, or how it could survive. */
  readonly note: string | undefined;
}

export interface Evidence {
  readonly specIds: readonly string[];
  readonly cases: readonly CaseReport[];
  /** Ids of tests (CaseReport.id) that fail on the code without the mutant. */
  readonly failAnyway: ReadonlySet<string>;
  /** Every test there is was asked for. */
  readonly isWhole: boolean;
}

export function judge({ specIds, cases, failAnyway, isWhole }: Evidence): Judgement {
  const names = (some: readonly CaseReport[]) => some.map(testName);
  const isUnsure = ({ id, state }: CaseReport) => state === 'error' || (state === 'failed' && failAnyway.has(id));
  const own = cases.filter((one) => namesOneOf(one, specIds));
  const failed = cases.filter((one) => one.state === 'failed' && !isUnsure(one));
  const killers = failed.filter((one) => own.includes(one));
  const others = failed.filter((one) => !own.includes(one));
  const unsure = cases.filter(isUnsure);
  const isComplete = isWhole && cases.length > 0 && unsure.length === 0 && !cases.some(({ state }) => state === 'pending');
  const { verdict, note } = killers.length > 0 ? { verdict: 'killed' as const, note: undefined } : withoutKiller(own, own.filter(isUnsure));
  return {
    verdict,
    note,
    killedBy: names(killers),
    alsoFailed: names(others),
    passed: names(own.filter(({ state }) => state === 'passed')),
    unsure: names(unsure),
    isExact: isComplete ? killers.length > 0 && others.length === 0 : undefined,
  };
}

export function namesOneOf({ specIds }: Pick<CaseReport, 'specIds'>, ids: readonly string[]): boolean {
  return specIds.some((id) => ids.includes(id));
}

export function testName({ file, name }: Pick<CaseReport, 'file' | 'name'>): string {
  return `${file} > ${name}`;
}

function withoutKiller(own: readonly CaseReport[], unsure: readonly CaseReport[]): Pick<Judgement, 'verdict' | 'note'> {
  if (own.length === 0) return { verdict: 'survived', note: 'no test names its ids' };
  const unended = own.filter(({ state }) => state === 'pending').length;
  if (unsure.length > 0) return { verdict: 'unknown', note: `${unsure.length} of ${own.length} tests of its ids say nothing` };
  if (unended > 0) return { verdict: 'unknown', note: `${unended} of ${own.length} tests of its ids did not end in time` };
  const skipped = own.filter(({ state }) => state === 'skipped').length;
  const ran = `${own.length - skipped} tests of its ids passed`;
  return { verdict: 'survived', note: skipped > 0 ? `${ran}, ${skipped} were skipped` : ran };
}
