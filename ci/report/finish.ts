/** The end of a run: verdict, summary or JSON, exit code. */
import { appendFileSync } from 'node:fs';
import { exitCodes } from '../cli/exit-codes.js';
import type { Progress } from '../session/progress.js';
import { jsonReport } from './json.js';
import { markdown } from './markdown.js';
import { count, pendingCase, type RunReport } from './model.js';
import type { ReportStore } from './store.js';
import { summaryLines } from './summary.js';

export function finish(store: ReportStore, isJson: boolean, progress: Progress): number {
  requireTests(store);
  requireReport(store);
  const exitCode = exitCodeOf(store.report);
  tellGithub(store.report, progress);
  if (isJson) process.stdout.write(`${jsonReport(store.report, exitCode, store.junitPath)}\n`);
  else for (const line of summaryLines(store.report, store.junitPath)) progress.say(line);
  return exitCode;
}

/** A known failure of the product is the stronger news; rig errors alone end with their own code. */
export function exitCodeOf({ cases }: RunReport): number {
  const { failed, errors } = count(cases);
  if (failed > 0) return exitCodes.productFailed;
  return errors > 0 ? exitCodes.rigFailed : exitCodes.passed;
}

/** GitHub shows what a job's step writes into this file. */
function tellGithub(report: RunReport, progress: Progress): void {
  const path = process.env['GITHUB_STEP_SUMMARY'];
  if (!path) return;
  try {
    appendFileSync(path, markdown(report));
  } catch (error) {
    progress.say(`cannot write the job's summary: ${(error as Error).message}`);
  }
}

/** Silence is never a pass: a run in which nothing ran says so in the report too. */
function requireTests(store: ReportStore): void {
  const { passed, failed, errors } = count(store.report.cases);
  if (passed + failed + errors > 0) return;
  addRigError(store, 'tests run', { name: 'NothingRan', message: 'no test was executed' });
}

function requireReport(store: ReportStore): void {
  const error = store.flush();
  if (error !== undefined) addRigError(store, 'the report is written', error);
}

function addRigError(store: ReportStore, name: string, { name: type, message }: Pick<Error, 'name' | 'message'>): void {
  const one = pendingCase({ id: `rig:${name}`, suite: 'rig', file: '', name, specIds: [], repeat: 'npm start -- doctor' });
  one.problems = [{ blame: 'rig', isNamed: true, type, message, detail: '' }];
  one.state = 'error';
  store.add(one);
  store.flush();
}
