/** Product or rig: turns an error as vitest hands it over (serialised, own fields kept) into a Problem. */
import type { Problem } from './model.js';
import { ownFrames, stripAnsi } from './text.js';

/** What of an error survives the way from a worker; every field may be absent. */
export interface ErrorLike {
  readonly name?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly code?: unknown;
  readonly blame?: unknown;
  readonly syscall?: unknown;
  readonly phase?: unknown;
  readonly evidence?: unknown;
  readonly excerpt?: unknown;
  readonly diff?: string;
  readonly expected?: unknown;
  readonly actual?: unknown;
  readonly cause?: unknown;
}

/** Our own mistakes in test code, not answers of the product. */
const rigNames = new Set(['TypeError', 'ReferenceError', 'SyntaxError', 'RangeError', 'ScenarioError']);

export function toProblem(error: ErrorLike): Problem {
  const message = stripAnsi(error.message ?? 'no message').trim();
  return {
    blame: blameOf(error),
    isNamed: error.blame !== undefined,
    type: error.name ?? 'Error',
    message,
    ...(error.expected === undefined ? {} : { expected: printed(error.expected) }),
    ...(error.actual === undefined ? {} : { seen: printed(error.actual) }),
    detail: detailOf(error),
  };
}

/** One problem per distinct error: a failing teardown is handed over twice by vitest. */
export function toProblems(errors: readonly ErrorLike[]): Problem[] {
  const seen = new Set<string>();
  return errors.map(toProblem).filter((problem) => {
    const key = `${problem.type}\n${problem.message}\n${problem.detail}`;
    return seen.has(key) ? false : Boolean(seen.add(key));
  });
}

/** The verdict over several problems: an error that names the product decides; else the first one does,
 *  since later ones are often its consequence. */
export function verdict(problems: readonly Problem[]): 'failed' | 'error' {
  const isNamedProduct = problems.some(({ blame, isNamed }) => blame === 'product' && isNamed);
  return isNamedProduct || problems[0]?.blame === 'product' ? 'failed' : 'error';
}

function blameOf(error: ErrorLike): Problem['blame'] {
  if (error.blame === 'product' || error.blame === 'rig') return error.blame;
  if (rigNames.has(error.name ?? '')) return 'rig';
  // Node's own system errors come from the host: a full disk, no memory, a missing program.
  return typeof error.code === 'string' && typeof error.syscall === 'string' ? 'rig' : 'product';
}

function detailOf(error: ErrorLike): string {
  const parts = [stripAnsi(error.diff ?? ''), ownFrames(stripAnsi(error.stack ?? ''))];
  if (typeof error.excerpt === 'string') parts.push(`console:\n${error.excerpt}`);
  if (Array.isArray(error.evidence) && error.evidence.length > 0) parts.push(`evidence: ${error.evidence.join(', ')}`);
  if (isErrorLike(error.cause)) parts.push(`caused by ${error.cause.name ?? 'Error'}: ${error.cause.message ?? ''}`);
  return parts.filter((part) => part !== '').join('\n');
}

function isErrorLike(value: unknown): value is ErrorLike {
  return typeof value === 'object' && value !== null && 'message' in value;
}

function printed(value: unknown): string {
  const json = (of: unknown) => JSON.stringify(of, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
  return stripAnsi(typeof value === 'string' ? value : (json(value) ?? String(value)));
}

/** A caught value as an ErrorLike. Without a blame of its own it counts as `blame`. */
export function caught(error: unknown, blame: Problem['blame']): ErrorLike {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), blame };
  const { name, message, stack, cause } = error;
  return { blame, ...error, name, message, stack: stack ?? '', cause };
}
