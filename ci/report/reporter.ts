/** Feeds a ReportStore from vitest. Whatever goes wrong becomes a case: a test, a file that does not load,
 *  a worker that dies, a stray rejection. Nothing that was selected can vanish from the report. */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, TestRunEndReason, TestSuite } from 'vitest/node';
import type { ErrorLike } from './classify.js';
import { pendingCase, type CaseReport } from './model.js';
import type { Repeat } from './repeat.js';
import type { ReportStore } from './store.js';
import { caseId, testId, variantDir, type Variant } from './variant.js';
import { applyResult, caseOf, fail, loadingCase } from './vitest-cases.js';

export interface ReporterOptions {
  readonly root: string;
  readonly store: ReportStore;
  readonly repeat: Repeat;
  /** Called as each case ends, for progress. */
  readonly onCaseEnd: (ended: CaseReport) => void;
  /** Test ids (vitest's) to report; undefined reports all. Vitest lists the unselected tests of a file as skipped. */
  readonly selectedIds?: ReadonlySet<string>;
  /** As which of several the tests run. */
  readonly variant?: Variant | undefined;
  /** Once aborted, what ends was cut off half way by vitest, and fails of that: it stays pending, and is not told. */
  readonly stop?: AbortSignal | undefined;
}

export class CaseReporter implements Reporter {
  readonly #options: ReporterOptions;
  readonly #selectedCases: ReadonlySet<string> | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#selectedCases = options.selectedIds && new Set([...options.selectedIds].map((id) => this.#idOf(id)));
  }

  onTestModuleCollected(module: TestModule): void {
    for (const test of module.children.allTests()) this.#caseFor(test);
  }

  onTestCaseResult(test: TestCase): void {
    const target = this.#caseFor(test);
    if (target?.state !== 'pending' || this.#isStopped()) return;
    // Tests are known by their places in the file.
    const now = test.fullName === target.name ? undefined : `the file was changed during the run: here is now "${test.fullName}"`;
    if (now === undefined) applyResult(test, target);
    else fail(target, [{ name: 'FileChanged', message: now, blame: 'rig' }]);
    this.#ended(target);
  }

  onTestSuiteResult(suite: TestSuite): void {
    const errors = suite.errors() as ErrorLike[];
    if (errors.length === 0 || this.#isStopped()) return;
    // An afterAll that fails has no test of its own: the last test of the block carries it.
    const cases = [...suite.children.allTests()].map((test) => this.#caseFor(test)).filter((one) => one !== undefined);
    const bare = cases.filter(({ problems, state }) => problems.length === 0 && state === 'skipped');
    const carriers = bare.length > 0 ? bare : cases.some(({ problems }) => problems.length > 0) ? [] : cases.slice(-1);
    for (const target of carriers) this.#failed(target, errors);
  }

  onTestModuleEnd(module: TestModule): void {
    const { root, repeat, variant } = this.#options;
    const errors = module.errors() as ErrorLike[];
    if (errors.length > 0 && !this.#isStopped()) this.#failed(this.#known(loadingCase(relative(root, module.moduleId), repeat, variant)), errors.map(rig));
  }

  onTestRunEnd(modules: readonly TestModule[], stray: readonly SerializedError[], reason: TestRunEndReason): void {
    if (reason === 'interrupted' || this.#isStopped()) return;
    const unplaced = stray.filter((error) => !this.#placeStray(error as ErrorLike & StrayOrigin, modules));
    const unfinished = this.#options.store.report.cases.filter(({ id, state }) => state === 'pending' && this.#isSelected(id));
    for (const target of unfinished) {
      const why = unplaced.map(({ message }) => message).join('; ');
      this.#failed(target, [{ name: 'Unfinished', message: `did not finish${why === '' ? '' : `: ${why}`}`, blame: 'rig' }]);
    }
    // A lost worker that took tests along is told by those tests.
    if (unfinished.length > 0) unplaced.length = 0;
    for (const error of unplaced) this.#failed(this.#strayCase(error.message), [rig(error)]);
    this.#options.store.flush();
  }

  /** True when the stray error names the test it came from. */
  #placeStray(error: ErrorLike & StrayOrigin, modules: readonly TestModule[]): boolean {
    const module = modules.find(({ moduleId }) => moduleId === error.VITEST_TEST_PATH);
    const test = [...(module?.children.allTests() ?? [])].find(({ name, fullName }) =>
      [name, fullName].includes(error.VITEST_TEST_NAME ?? ''));
    const target = test && this.#options.store.find(this.#idOf(test.id));
    if (target) this.#failed(target, [rig(error)]);
    return target !== undefined;
  }

  #caseFor(test: TestCase): CaseReport | undefined {
    const { root, store, repeat, variant } = this.#options;
    if (!this.#isSelected(this.#idOf(test.id))) return undefined;
    const known = store.find(this.#idOf(test.id));
    if (known) return known;
    const added = caseOf(test, root, repeat, variant);
    store.add(added);
    return added;
  }

  #idOf(testId: string): string {
    return caseId(testId, this.#options.variant);
  }

  /** The report may hold tests of other runs too, such as the suites while the unit tests run. */
  #isSelected(id: string): boolean {
    return this.#selectedCases?.has(id) ?? true;
  }

  #isStopped(): boolean {
    return this.#options.stop?.aborted === true;
  }

  #strayCase(message: string): CaseReport {
    const { repeat, variant } = this.#options;
    const name = `unhandled error: ${message}`;
    return this.#known(pendingCase({ id: this.#idOf(`:${name}`), suite: 'rig', file: '', name, specIds: [], variant, repeat: repeat('') }));
  }

  #known(added: CaseReport): CaseReport {
    this.#options.store.add(added);
    return this.#options.store.find(added.id) ?? added;
  }

  #failed(target: CaseReport, errors: readonly ErrorLike[]): void {
    const isNews = target.state === 'pending' || target.state === 'passed' || target.state === 'skipped';
    fail(target, errors);
    if (isNews) this.#ended(target);
  }

  #ended(target: CaseReport): void {
    // Where fixtures leave what --keep keeps.
    const { store, variant } = this.#options;
    const remains = join(variantDir(dirname(store.junitPath), variant), 'remains', testId(target.id, variant));
    if (existsSync(remains)) target.remains = remains;
    this.#options.store.changed();
    this.#options.onCaseEnd(target);
  }
}

interface StrayOrigin {
  readonly VITEST_TEST_NAME?: string;
  readonly VITEST_TEST_PATH?: string;
}

/** A file that does not load, a stray rejection or a lost worker is the rig's, unless the error says otherwise. */
function rig(error: ErrorLike): ErrorLike {
  const { name, message, stack, cause, code } = error;
  return { name: name ?? 'Error', message: message ?? '', stack: stack ?? '', cause, code, blame: error.blame ?? 'rig' };
}
