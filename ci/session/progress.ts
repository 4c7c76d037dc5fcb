/** Progress of long steps: one live line on a terminal, which steps that go on side by side share; an occasional plain line of each
 *  elsewhere. Goes to stderr. */
import { duration } from '../report/text.js';

const plainIntervalMs = 15_000;
const liveIntervalMs = 100;

export interface Step {
  /** `part` of 1 when known; `detail` says what is being done. */
  update(detail: string, part?: number): void;
  /** Ends the step with a lasting line; `note` replaces the detail. */
  done(note?: string): void;
  fail(note: string): void;
  /** Ends the step without a line. */
  drop(): void;
}

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #isLive: boolean;
  readonly #isColored: boolean;
  /** A live line stands there, to be wiped before anything else is written. */
  #hasLine = false;
  /** What the live line says of each step that goes on. */
  readonly #live = new Map<symbol, string>();

  constructor(stream: NodeJS.WriteStream = process.stderr, env: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream;
    this.#isLive = stream.isTTY && env['TERM'] !== 'dumb' && env['CI'] === undefined;
    this.#isColored = this.#isLive && (env['NO_COLOR'] ?? '') === '';
  }

  /** A line that stays. */
  say(line: string): void {
    this.#clear();
    this.#stream.write(`${line}\n`);
  }

  step(name: string): Step {
    const startedMs = Date.now();
    const own = Symbol(name);
    let shownMs = this.#isLive ? 0 : startedMs;
    let latest = '';
    const spent = () => duration(Date.now() - startedMs);
    const show = () => {
      shownMs = Date.now();
      const line = [name, latest, spent()].filter((part) => part !== '').join('  ');
      if (!this.#isLive) {
        this.#stream.write(`... ${line}\n`);
        return;
      }
      this.#live.set(own, line);
      this.#clear();
      this.#stream.write(this.#fit([...this.#live.values()].join(' | ')));
      this.#hasLine = true;
    };
    const ticker = setInterval(show, this.#isLive ? 1000 : plainIntervalMs).unref();
    const stop = () => {
      clearInterval(ticker);
      this.#live.delete(own);
    };
    const end = (mark: string, color: number, note: string) => {
      stop();
      this.say(`${this.#paint(mark, color)} ${[name, note, spent()].filter((part) => part !== '').join('  ')}`);
    };
    if (this.#isLive) show();
    return {
      update: (detail, part) => {
        latest = part === undefined ? detail : `${Math.floor(part * 100)} %  ${detail}`;
        if (Date.now() - shownMs >= (this.#isLive ? liveIntervalMs : plainIntervalMs)) show();
      },
      done: (note = '') => end('ok  ', 32, note),
      fail: (note) => end('FAIL', 31, note),
      drop: () => {
        stop();
        this.#clear();
      },
    };
  }

  paintOutcome(text: string, isGood: boolean): string {
    return this.#paint(text, isGood ? 32 : 31);
  }

  #paint(text: string, color: number): string {
    return this.#isColored ? `\u001b[${color}m${text}\u001b[0m` : text;
  }

  #fit(line: string): string {
    const width = this.#stream.columns || 80;
    return line.length < width ? line : `${line.slice(0, width - 2)}…`;
  }

  #clear(): void {
    if (this.#hasLine) this.#stream.write('\r\u001b[2K');
    this.#hasLine = false;
  }
}
