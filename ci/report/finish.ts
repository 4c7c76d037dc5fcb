/** The end of a run: verdict, summary or JSON, exit code. */
import { exitCodes } from '../cli/exit-codes.js';
import type { Progress } from '../session/progress.js';
import { jsonReport } from './json.js';
import { count, pendingCase, type RunReport } from './model.js';
import type { ReportStore } from './store.js';
import { summaryLines } from './summary.js';

export function finish(store: ReportStore, isJson: boolean, progress: Progress): number {
  requireTests(store);
  store.flush();
  const exitCode = exitCodeOf(store.report);
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

/** Silence is never a pass: a run in which nothing ran says so in the report too. */
function requireTests(store: ReportStore): void {
  const { passed, failed, errors } = count(store.report.cases);
  if (passed + failed + errors > 0) return;
  const nothing = pendingCase({ id: 'rig:nothing-ran', suite: 'rig', file: '', name: 'tests run', specIds: [], repeat: 'npm start -- --list' });
  const message = 'no test was executed';
  nothing.problems = [{ blame: 'rig', isNamed: true, type: 'NothingRan', message, detail: '' }];
  nothing.state = 'error';
  store.add(nothing);
}
