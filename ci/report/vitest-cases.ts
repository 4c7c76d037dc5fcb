/** From vitest's reported tasks to our cases: the only place that knows vitest's shape of them. */
import { relative } from 'node:path';
import type { TestCase, TestModule, TestSuite } from 'vitest/node';
import type { FaultPoint } from '../../vm/index.js';
import { toProblems, verdict, type ErrorLike } from './classify.js';
import { pendingCase, type CaseReport } from './model.js';
import type { Repeat } from './repeat.js';
import { caseId, type Variant } from './variant.js';

/** What fixtures leave in `task.meta`; see the contract of `test` in suites/fixtures. */
interface SuiteMeta {
  readonly spec?: readonly string[];
  readonly klogTail?: readonly string[];
  readonly klogAllowed?: readonly string[];
  readonly restoreMs?: number | readonly number[];
  readonly faults?: readonly FaultPoint[];
}

export function caseOf(test: TestCase, root: string, repeat: Repeat, variant: Variant | undefined): CaseReport {
  const file = relative(root, test.module.moduleId);
  const specIds = (test.meta() as SuiteMeta).spec ?? [];
  const name = test.fullName;
  const id = caseId(test.id, variant);
  return pendingCase({ id, suite: suiteOf(file), file, name, specIds, variant, repeat: repeat(file, name) });
}

/** Of a file whose tests nobody knows: it fails when it does not load, and stays pending when it does after all. */
export function loadingCase(file: string, repeat: Repeat, variant: Variant | undefined): CaseReport {
  const name = 'the file loads';
  return pendingCase({ id: caseId(`${file}:${name}`, variant), suite: suiteOf(file), file, name, specIds: [], variant, repeat: repeat(file) });
}

/** `suites/cow/x.test.ts` is in `cow`; a unit test `suites/meta/ci/x.test.ts` in `meta/ci`. */
export function suiteOf(file: string): string {
  const folders = file.split('/').slice(0, -1);
  if (folders[0] === 'suites') folders.shift();
  return folders.slice(0, folders[0] === 'meta' ? 2 : 1).join('/') || 'suites';
}

/** Copies an ended test's outcome into its case. */
export function applyResult(test: TestCase, target: CaseReport): void {
  const result = test.result();
  const meta = test.meta() as SuiteMeta;
  target.durationMs = test.diagnostic()?.duration ?? 0;
  target.klogTail = meta.klogTail ?? [];
  target.klogAllowed = meta.klogAllowed ?? [];
  target.restoreMs = [meta.restoreMs ?? []].flat();
  target.faults = meta.faults ?? [];
  if (result.state === 'failed') fail(target, result.errors);
  else if (result.state === 'skipped') skip(test, target, result.note);
  else if (result.state === 'passed') target.state = 'passed';
}

export function fail(target: CaseReport, errors: readonly ErrorLike[]): void {
  const known = errors.length > 0 ? errors : [{ name: 'Error', message: 'failed without an error', blame: 'rig' }];
  target.problems = [...target.problems, ...toProblems(known)];
  target.state = verdict(target.problems);
}

/** A test below a failing beforeAll or a file that failed is reported as skipped by vitest; it did not pass. */
function skip(test: TestCase, target: CaseReport, note: string | undefined): void {
  const errors = ancestors(test).flatMap((parent) => parent.errors());
  if (errors.length > 0) return fail(target, errors);
  target.state = 'skipped';
  target.skipReason = note ?? 'skipped in the test file';
}

function ancestors(test: TestCase): (TestSuite | TestModule)[] {
  const parents: (TestSuite | TestModule)[] = [];
  let parent: TestSuite | TestModule = test.parent;
  for (;;) {
    parents.push(parent);
    if (parent.type === 'module') return parents;
    parent = parent.parent;
  }
}
