/** Runs one check of the gate as a case of the report: findings fail it, a crash of the check is the rig's. */
import { caught, toProblems, verdict } from '../report/classify.js';
import { pendingCase } from '../report/model.js';
import type { ReportStore } from '../report/store.js';
import { brief } from '../report/text.js';
import type { Progress } from '../session/progress.js';
import type { Check } from './check.js';

const findingsShown = 10;

export async function runCheck(check: Check, store: ReportStore, progress: Progress): Promise<void> {
  const { name, repeat } = check;
  const one = pendingCase({ id: `gate:${name}`, suite: 'gate', file: '', name, specIds: [], repeat });
  store.add(one);
  const step = progress.step(name);
  const startedMs = Date.now();
  try {
    const findings = await check.run((detail) => step.update(detail));
    one.durationMs = Date.now() - startedMs;
    if (findings.length === 0) {
      one.state = 'passed';
      step.done();
      return;
    }
    const message = [`${findings.length} findings`, ...findings.slice(0, findingsShown)].join('\n');
    one.problems = [{ blame: 'product', isNamed: true, type: 'Findings', message, detail: findings.join('\n') }];
    one.state = 'failed';
    step.fail(`${findings.length} findings, the first: ${brief(findings[0] ?? '')}`);
  } catch (error) {
    one.durationMs = Date.now() - startedMs;
    one.problems = toProblems([caught(error, 'rig')]);
    one.state = verdict(one.problems);
    step.fail(brief(one.problems[0]?.message ?? ''));
  } finally {
    store.changed();
  }
}
