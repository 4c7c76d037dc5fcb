/** One stage of making ready, such as the kernel build: shown as it goes, and in the report when it fails. */
import { caught, toProblems, verdict } from '../report/classify.js';
import { pendingCase, type CaseReport } from '../report/model.js';
import type { ReportStore } from '../report/store.js';
import { firstLine } from '../report/text.js';
import type { Progress } from '../session/progress.js';

/** How the work tells where it is; `total` when the end is known. */
export type Tell = (step: { readonly what: string; readonly done?: number; readonly total?: number }) => void;

export interface Stage {
  readonly store: ReportStore;
  readonly progress: Progress;
  /** The command to repeat all of it. */
  readonly repeat: string;
  /** Which of the cases cannot run when it fails; all when left out. */
  readonly needs?: ((one: CaseReport) => boolean) | undefined;
}

/** The work's result, or undefined when it failed: then the report has the failure as a case of its own, and every
 *  test that could not run for it is skipped with that reason. */
export async function runStage<T>(stage: Stage, name: string, work: (tell: Tell) => Promise<T>): Promise<T | undefined> {
  const step = stage.progress.step(name);
  const startedMs = Date.now();
  try {
    const result = await work(({ what, done, total }) =>
      step.update(total ? `${what}  ${done ?? 0}/${total}` : what, total ? (done ?? 0) / total : undefined));
    step.done();
    return result;
  } catch (error) {
    step.fail(firstLine(error instanceof Error ? error.message : String(error)));
    record(stage, name, error, Date.now() - startedMs);
    return undefined;
  }
}

function record({ store, repeat, needs = () => true }: Stage, name: string, error: unknown, durationMs: number): void {
  const failed = pendingCase({ id: `prepare:${name}`, suite: 'prepare', file: '', name, specIds: [], repeat });
  failed.durationMs = durationMs;
  failed.problems = toProblems([caught(error, 'rig')]);
  failed.state = verdict(failed.problems);
  for (const one of store.report.cases) {
    if (one.state !== 'pending' || !needs(one)) continue;
    one.state = 'skipped';
    one.skipReason = `not run, because "${name}" failed`;
  }
  store.add(failed);
}
