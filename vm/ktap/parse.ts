/** Reads KTAP or TAP into verdicts. Silence, a missing plan and a test that was announced but never ended are not
 *  passes: broken streams give results too, never exceptions. */
import { Parser, type FinalResults, type Result } from 'tap-parser';
import { normalize } from './normalize.js';

/** `crashed`: announced, but its result never came. */
export type KtapStatus = 'passed' | 'failed' | 'skipped' | 'timeout' | 'error' | 'crashed';

export interface KtapCase {
  /** Names from the outermost suite to the test. */
  readonly path: readonly string[];
  readonly status: KtapStatus;
  /** What stands after the directive, or why it counts as crashed. */
  readonly reason: string;
  /** Diagnostic and unknown lines before the result. */
  readonly diagnostics: readonly string[];
}

export interface KtapRun {
  readonly status: 'passed' | 'failed' | 'skipped' | 'crashed' | 'no-tests';
  /** Innermost tests; a suite stands here only when its own verdict says more than its tests do. */
  readonly cases: readonly KtapCase[];
  /** What is wrong with the stream itself. */
  readonly problems: readonly string[];
}

interface Level {
  readonly path: string[];
  readonly cases: KtapCase[];
  readonly problems: string[];
  comments: string[];
  /** A child whose closing result has not come. */
  openChild: Level | undefined;
}

export function parseKtap(stream: string): KtapRun {
  const { tap, isStarted } = normalize(stream);
  if (!isStarted) return { status: 'no-tests', cases: [], problems: ['no KTAP or TAP version line'] };
  const parser = new Parser();
  const top = follow(parser, []);
  let hasPlan = false;
  parser.on('complete', ({ plan }: FinalResults) => { hasPlan = plan.end !== null && plan.end !== undefined; });
  parser.end(tap);
  const cases = top.cases;
  const problems = hasPlan ? top.problems : [...top.problems, 'no plan: what came may be the beginning of more'];
  return { status: overall(cases, problems), cases, problems };
}

function overall(cases: readonly KtapCase[], problems: readonly string[]): KtapRun['status'] {
  if (cases.length === 0) return 'no-tests';
  if (cases.some(({ status }) => status === 'crashed')) return 'crashed';
  if (problems.length > 0 || cases.some(({ status }) => status !== 'passed' && status !== 'skipped')) return 'failed';
  return cases.every(({ status }) => status === 'skipped') ? 'skipped' : 'passed';
}

function follow(parser: Parser, path: string[]): Level {
  const level: Level = { path, cases: [], problems: [], comments: [], openChild: undefined };
  parser.on('comment', (comment: string) => {
    // A child's heading is in its name; complete() says tap-parser's own remark in our words.
    if (!/^# Subtest|^# test count\(\d+\) != plan/.test(comment)) level.comments.push(comment.replace(/^# ?/, '').trimEnd());
  });
  parser.on('child', (child: Parser) => {
    level.openChild = follow(child, child.name === '' ? [...path] : [...path, child.name]);
  });
  parser.on('assert', (result: Result) => add(level, result));
  parser.on('bailout', (reason: string) => {
    if (!level.problems.includes(`bailed out: ${reason}`)) level.problems.push(`bailed out: ${reason}`);
  });
  parser.on('complete', (results: FinalResults) => complete(level, results));
  return level;
}

function add(level: Level, result: Result): void {
  const { name, status, reason } = verdictOf(result);
  const path = [...level.path, name];
  const child = level.openChild;
  const diagnostics = level.comments;
  level.comments = [];
  level.openChild = undefined;
  if (child === undefined) {
    level.cases.push({ path, status, reason, diagnostics });
    return;
  }
  const isUnnamed = child.path.length === level.path.length;
  const inside = isUnnamed ? child.cases.map((one) => renamed(one, level.path.length, name)) : child.cases;
  level.cases.push(...inside);
  level.problems.push(...child.problems);
  const isBad = inside.some((one) => one.status !== 'passed' && one.status !== 'skipped');
  // The suite's own verdict counts when its tests do not explain it, such as a failing suite_exit.
  if ((!isBad && says(status, inside)) || inside.length === 0) {
    level.cases.push({ path, status: inside.length === 0 && status === 'passed' ? 'error' : status, reason, diagnostics });
  } else if (status === 'passed' && isBad) {
    level.problems.push(`${path.join(' > ')} says ok above a test that is not`);
  }
}

function complete(level: Level, results: FinalResults): void {
  const child = level.openChild;
  if (child !== undefined) {
    level.cases.push(...child.cases, crashed(child.path, 'began, and its result never came', child.comments));
    level.problems.push(...child.problems);
  }
  const expected = results.plan.end ?? 0;
  // The unfinished child is the first of the missing ones.
  const from = results.count + (child === undefined ? 1 : 2);
  for (let number = from; number <= expected; number++) {
    level.cases.push(crashed([...level.path, `test ${number} of ${expected}`], 'planned, and never reported', []));
  }
  for (const failure of results.failures) {
    if (failure.tapError && !/test count|incorrect number|Plan|plan/.test(String(failure.tapError))) {
      level.problems.push(String(failure.tapError));
    }
  }
  if (results.count > expected && expected > 0) level.problems.push(`${results.count} results for a plan of ${expected}`);
}

function verdictOf(result: Result): { name: string; status: KtapStatus; reason: string } {
  const [name = '', directive = ''] = result.name.split(/\s+#\s*/, 2);
  const [, word = '', rest = ''] = /^(TIMEOUT|ERROR|XFAIL)\b[:\s]*(.*)$/.exec(directive) ?? [];
  const shown = name.replace(/^- /, '') || `test ${result.id}`;
  if (result.skip) return { name: shown, status: 'skipped', reason: textOf(result.skip) };
  const expectedFailure = result.todo ? textOf(result.todo) : word === 'XFAIL' ? rest : undefined;
  if (expectedFailure !== undefined && !result.ok) {
    return { name: shown, status: 'skipped', reason: `expected to fail: ${expectedFailure}` };
  }
  if (!result.ok && word === 'TIMEOUT') return { name: shown, status: 'timeout', reason: rest };
  if (!result.ok && word === 'ERROR') return { name: shown, status: 'error', reason: rest };
  return { name: shown, status: result.ok ? 'passed' : 'failed', reason: word === '' ? directive : rest };
}

function textOf(directive: string | boolean): string {
  return typeof directive === 'string' ? directive : '';
}

function crashed(path: readonly string[], reason: string, diagnostics: readonly string[]): KtapCase {
  return { path, status: 'crashed', reason, diagnostics };
}

function renamed(one: KtapCase, depth: number, name: string): KtapCase {
  return { ...one, path: [...one.path.slice(0, depth), name, ...one.path.slice(depth)] };
}

/** Whether a suite's status adds to what its tests say. */
function says(status: KtapStatus, inside: readonly KtapCase[]): boolean {
  return status !== 'passed' && inside.some((one) => one.status !== status);
}
