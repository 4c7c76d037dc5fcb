/** The conversation with the actor in a guest: lines go in, answers come out in the same order. */
import type { RunningCommand } from '../../vm/index.js';
import type { Lab } from '../fixtures/lab.js';
import type { Answer } from './calls.js';

/** Of a call on `fast`; a machine under load may be very slow. */
const ANSWER_MS = 120_000;
const LOOK_MS = 1000;
const LIFE_MS = 24 * 3_600_000;

/** The guest has not answered: it hangs, or is dead. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly blame = 'product';
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class Actor {
  readonly #command: RunningCommand;
  readonly #limitMs: number;
  readonly #waiting: Waiting[] = [];
  #received: Buffer[] = [];
  #stderr = '';
  #answeredMs = 0;

  constructor(lab: Lab) {
    this.#limitMs = ANSWER_MS * lab.guest.slowdown;
    this.#command = lab.guest.start(['/tmp/actor'], { keepOutput: false, timeoutMs: LIFE_MS });
    this.#command.onStdout((data) => {
      this.#received.push(data);
      this.#take();
    });
    this.#command.onStderr((data) => { this.#stderr += data.toString(); });
    this.#command.result.then(
      ({ exitCode }) => this.#fail(new NoAnswerError(`the actor ended with ${exitCode}: ${this.#stderr}`)),
      (error: unknown) => this.#fail(error),
    );
  }

  /** All answers, in order. */
  async ask(lines: readonly string[]): Promise<Answer[]> {
    const answers = lines.map(() => new Promise<Answer>((resolve, reject) => { this.#waiting.push({ resolve, reject }); }));
    const all = Promise.all(answers);
    all.catch(() => undefined);
    this.#command.write(lines.map((line) => `${line}\n`).join(''));
    const hung = (): void => this.#fail(new NoAnswerError(`no answer within ${this.#limitMs} ms to one of: ${lines.join('; ').slice(0, 500)}`));
    this.#answeredMs = performance.now();
    const timer = setInterval(() => { if (performance.now() - this.#answeredMs > this.#limitMs) hung(); }, LOOK_MS);
    try {
      return await all;
    } finally {
      clearInterval(timer);
    }
  }

  /** Ends it, and waits for that. */
  async end(): Promise<void> {
    this.#command.end();
    await this.#command.result;
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #take(): void {
    let data = this.#received.length === 1 ? this.#received[0] as Buffer : Buffer.concat(this.#received);
    for (;;) {
      const newline = data.indexOf(0x0a);
      if (newline < 0) break;
      const [errno = 0, result = 0, size = 0] = data.subarray(0, newline).toString().split(' ').map(Number);
      const end = newline + 1 + size;
      this.#answeredMs = performance.now();
      if (data.length < end) break;
      this.#waiting.shift()?.resolve({ errno, result, bytes: data.subarray(newline + 1, end) });
      data = data.subarray(end);
    }
    this.#received = data.length > 0 ? [data] : [];
  }
}
