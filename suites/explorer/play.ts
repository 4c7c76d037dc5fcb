/** Plays a sequence in a guest, next to the model, and compares all that can be seen after each step. */
import type { Answer, Call } from './calls.js';
import { coverageOf, type Coverage } from './coverage.js';
import { checkAll, lookAll } from './look.js';
import type { Stage } from './machine.js';
import { Model } from './model.js';
import { begin, end, perform } from './perform.js';
import { errnoName, type Sequence } from './steps.js';

/** The guest did something else than the model. */
export class MismatchError extends Error {
  override readonly name = 'MismatchError';
  readonly blame = 'product';
  /** Steps played with this one, the last. One more than there are: it showed when all was over. */
  readonly played: number;

  constructor(message: string, played: number) {
    super(message);
    this.played = played;
  }
}

/** The module must not be loaded, and is not when the sequence has ended well. */
export async function play(stage: Stage, sequence: Sequence, coverage?: Coverage): Promise<void> {
  const model = new Model(sequence.params);
  const { names } = stage;
  await run(stage, begin(model, names), 'the beginning', 0);
  for (const [index, step] of sequence.steps.entries()) {
    const before = coverageOf(model);
    const calls = perform(model, names, step);
    await run(stage, [...calls, ...lookAll(model, names)], `step ${index + 1} (${step.do})`, index + 1);
    const first = calls[0]?.errno;
    coverage?.note(before, step, first === undefined ? undefined : typeof first === 'number' ? first : first[0], coverageOf(model));
  }
  const last = sequence.steps.length + 1;
  await run(stage, checkAll(model, names), 'the check at the end', last);
  await run(stage, end(model, names), 'taking all down', last);
  await stage.lab.checkKlog().catch((error: unknown) => { throw asMismatch(error, 'the kernel log', last); });
}

/** What is no fault of the product stays what it is. */
function asMismatch(error: unknown, what: string, played: number): unknown {
  const isProduct = error instanceof Error && 'blame' in error && error.blame === 'product';
  return isProduct ? new MismatchError(`${what}: ${error.message}`, played) : error;
}

async function run({ actor, lab }: Stage, calls: readonly Call[], what: string, played: number): Promise<void> {
  if (calls.length === 0) return;
  let answers: Answer[];
  try {
    answers = await actor.ask(calls.map(({ line }) => line));
  } catch (error) {
    await lab.checkKlog().catch((splat: unknown) => { throw asMismatch(splat, what, played); });
    throw asMismatch(error, what, played);
  }
  calls.forEach((call, index) => {
    const wrong = wrongAnswer(call, answers[index] as Answer);
    if (wrong !== undefined) throw new MismatchError(`${what}: ${wrong}`, played);
  });
}

export function wrongAnswer({ line, errno, check }: Call, answer: Answer): string | undefined {
  const allowed = typeof errno === 'number' ? [errno] : errno;
  if (!allowed.includes(answer.errno)) {
    return `"${line}" ended with ${errnoName(answer.errno)}, not ${allowed.map(errnoName).join(' or ')}`;
  }
  if (answer.errno !== 0 && check === undefined) return undefined;
  return check?.(answer);
}
