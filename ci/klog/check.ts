/** The step "kernel log allowances": none is past its day, and a whole run has met each. */
import { join } from 'node:path';
import { applies, isExpired, readKlogPolicy, type KlogPolicy } from '../../vm/index.js';
import type { Check } from '../checks/check.js';
import { runCheck } from '../checks/run-check.js';
import type { RunReport } from '../report/model.js';
import type { ReportStore } from '../report/store.js';
import type { Progress } from '../session/progress.js';

export const klogFile = 'suites/kernel-log.yaml';

export interface KlogRun {
  readonly kernel: { readonly line: string; readonly flavour: string };
  /** Names of the allowances that some test made use of; undefined when only a part of the tests ran, which says nothing
   *  about those that none met. */
  readonly met: ReadonlySet<string> | undefined;
}

export function klogCheck(root: string, run: KlogRun): Check {
  return {
    name: 'kernel log allowances',
    repeat: 'npm start',
    run: async () => klogFindings(await readKlogPolicy(join(root, klogFile)), run, new Date()),
  };
}

/** For a run of suites: a case of its own only when there is something to find, so that what a run holds are its tests. */
export async function tellKlogFindings(root: string, run: KlogRun, store: ReportStore, progress: Progress): Promise<void> {
  const check = klogCheck(root, run);
  if ((await check.run(() => undefined)).length > 0) await runCheck(check, store, progress);
}

/** Names of the allowances that tests of this report made use of, on whatever flavour. */
export function metAllowances({ cases }: Pick<RunReport, 'cases'>): ReadonlySet<string> {
  return new Set(cases.flatMap(({ klogAllowed }) => klogAllowed));
}

/** One line for each allowance that must go. Pure. */
export function klogFindings({ allowed }: KlogPolicy, { kernel, met }: KlogRun, now: Date): string[] {
  return allowed.flatMap((one) => {
    const { name, owner, expires, isRare } = one;
    if (isExpired(one, now)) return [`${klogFile}: "${name}" was allowed until ${expires}; its owner is ${owner}`];
    if (!met || met.has(name) || isRare || !applies(one, kernel)) return [];
    return [`${klogFile}: "${name}" was met by no test on ${kernel.line} ${kernel.flavour}: take it out, or say rare: true (its owner is ${owner})`];
  });
}
