/** Keeps junit.xml true while a run goes on: every change of a case reaches the file, at most a few times a second. */
import { join } from 'node:path';
import { junitXml } from './junit.js';
import type { CaseReport, RunReport } from './model.js';
import { replaceFile } from './results.js';

const writeIntervalMs = 500;

export class ReportStore {
  readonly report: RunReport;
  readonly junitPath: string;
  /** Its wall time is what it is: the run has ended elsewhere. */
  readonly #hasEnded: boolean;
  readonly #byId = new Map<string, CaseReport>();
  #timer: NodeJS.Timeout | undefined;
  #isSealed = false;

  /** `properties` hold for each test, `origin` for the run. */
  constructor(resultsDir: string, properties: Readonly<Record<string, string>>, origin: Readonly<Record<string, string>> = {}, ended?: RunReport) {
    const facts = { properties: new Map(Object.entries(properties)), origin: new Map(Object.entries(origin)) };
    this.report = ended ?? { startedAt: new Date(), wallMs: 0, ...facts, cases: [] };
    this.#hasEnded = ended !== undefined;
    this.junitPath = join(resultsDir, 'junit.xml');
  }

  /** Of a run that has ended. */
  static ofEnded(resultsDir: string, report: RunReport): ReportStore {
    return new ReportStore(resultsDir, {}, {}, report);
  }

  add(...cases: CaseReport[]): void {
    for (const one of cases) {
      if (this.#byId.has(one.id)) continue;
      this.#byId.set(one.id, one);
      this.report.cases.push(one);
    }
    this.changed();
  }

  find(id: string): CaseReport | undefined {
    return this.#byId.get(id);
  }

  /** Call after changing a case. The file follows within half a second. */
  changed(): void {
    this.#timer ??= setTimeout(() => this.flush(), writeIntervalMs).unref();
  }

  /** Writes for the last time: of a run that is being ended, what comes after is no verdict. */
  seal(): void {
    this.flush();
    this.#isSealed = true;
  }

  /** Writes now; for the end of the run and of the process. A report that cannot be written (full disk, folder gone)
   *  must not end the tests: the reason is returned, and the end of the run tells it. */
  flush(): Error | undefined {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isSealed) return undefined;
    if (!this.#hasEnded) this.report.wallMs = Date.now() - this.report.startedAt.getTime();
    try {
      replaceFile(this.junitPath, junitXml(this.report));
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
