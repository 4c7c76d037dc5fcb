/** What a run knows about its tests: plain data that the writers (JUnit, JSON, summary) turn into text. */
import type { FaultPoint } from '../../vm/index.js';
import type { Variant } from './variant.js';

/** `pending` tests have not ended; a report that still has them comes from a run that died. */
export type CaseState = 'pending' | 'passed' | 'failed' | 'error' | 'skipped';

/** One thing that went wrong in a test. */
export interface Problem {
  /** `product`: what we test broke. `rig`: what we test with broke. */
  readonly blame: 'product' | 'rig';
  /** The error itself says whom it speaks against; otherwise its kind was judged. */
  readonly isNamed: boolean;
  /** Error class, such as AssertionError or GuestPanicError. */
  readonly type: string;
  /** What happened, in one or a few lines. */
  readonly message: string;
  /** Printed values; undefined when the error compares nothing. */
  readonly expected?: string;
  readonly seen?: string;
  /** Stack, causes, evidence paths: all that helps beyond the message. */
  readonly detail: string;
}

export interface CaseReport {
  /** Unique within the run. */
  readonly id: string;
  /** Topic, such as `cow`, or `gate` for the steps of npm test. */
  readonly suite: string;
  /** Path from the root of the repository. */
  readonly file: string;
  /** Describe blocks and title, joined by ` > `. */
  readonly name: string;
  readonly specIds: readonly string[];
  /** Undefined when the run runs the test once. */
  readonly variant?: Variant | undefined;
  /** Place in the list of all that the whole run runs, from 1, whatever shard this is; undefined for what no list foresees,
   *  such as a build that failed. */
  readonly position?: number | undefined;
  /** The one line that runs this test again with the same choices. */
  readonly repeat: string;
  state: CaseState;
  durationMs: number;
  problems: readonly Problem[];
  /** Why it was skipped; undefined otherwise. */
  skipReason?: string | undefined;
  /** Last kernel messages of the test's guest. */
  klogTail: readonly string[];
  /** Folder with what --keep kept of a failure; undefined when nothing was kept. */
  remains?: string;
  /** Allowances of suites/kernel-log.yaml that its kernel log made use of. */
  klogAllowed: readonly string[];
  /** Restore to first answer of each guest the test used. */
  restoreMs: readonly number[];
  /** Faults that it injected. */
  faults: readonly FaultPoint[];
}

export interface RunReport {
  readonly startedAt: Date;
  /** Wall time of the whole run so far. */
  wallMs: number;
  /** Facts that hold for every test: kernel, flavour, seed. */
  readonly properties: Map<string, string>;
  /** Facts of the run alone: commit, selection, shard. */
  readonly origin: Map<string, string>;
  readonly cases: CaseReport[];
}

export interface Counts {
  readonly passed: number;
  /** Product failures. */
  readonly failed: number;
  /** Rig errors, and tests that never ended. */
  readonly errors: number;
  readonly skipped: number;
}

export function count(cases: readonly CaseReport[]): Counts {
  const having = (...states: CaseState[]) => cases.filter(({ state }) => states.includes(state)).length;
  return {
    passed: having('passed'),
    failed: having('failed'),
    errors: having('error', 'pending'),
    skipped: having('skipped'),
  };
}

/** A test that has not run yet. */
export function pendingCase(
  of: Pick<CaseReport, 'id' | 'suite' | 'file' | 'name' | 'specIds' | 'repeat' | 'variant' | 'position'>,
): CaseReport {
  return { ...of, state: 'pending', durationMs: 0, problems: [], klogTail: [], klogAllowed: [], restoreMs: [], faults: [] };
}
