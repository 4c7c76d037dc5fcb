/** The guest's serial console: written to a file as it comes, its tail kept, trouble recognised. */
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Socket } from 'node:net';

export interface Trouble {
  readonly kind: 'panic' | 'oops';
  /** The line that says what happened. */
  readonly summary: string;
  /** The console from the first sign on. */
  readonly excerpt: string;
}

const TAIL_CHARS_MAX = 64 * 1024;
const EXCERPT_CHARS_MAX = 16 * 1024;
const OOPS = new RegExp('^.*(?:BUG: |Oops: |kernel BUG at |general protection fault|invalid opcode:|stack segment:|double fault'
  + '|KASAN: ).*$', 'm');
const PANIC = /^.*Kernel panic - not syncing: .*$/m;

/** Finds a panic or an oops in console text; pure. A warning is neither: it stands in the kernel log. */
export function findTrouble(text: string): Trouble | undefined {
  const panic = PANIC.exec(text);
  if (!panic) return undefined;
  const before = text.slice(0, panic.index);
  // The oops that led to this panic stands shortly before it, unless panic() was called as such.
  const oops = /not syncing: Fatal exception/.test(panic[0]) ? lastMatch(OOPS, before) : undefined;
  const start = oops?.index ?? panic.index;
  return {
    kind: oops ? 'oops' : 'panic',
    summary: (oops?.text ?? panic[0]).trim(),
    excerpt: text.slice(start, start + EXCERPT_CHARS_MAX).trimEnd(),
  };
}

function lastMatch(pattern: RegExp, text: string): { index: number; text: string } | undefined {
  // The first of the lines that belong together names the cause; those more than a screen earlier do not belong.
  const from = Math.max(0, text.length - 8192);
  const match = pattern.exec(text.slice(from));
  return match ? { index: from + match.index, text: match[0] } : undefined;
}

export class Console {
  readonly path: string;
  readonly #socket: Socket;
  readonly #file: WriteStream;
  readonly #listeners = new Set<() => void>();
  #tail = '';
  #received = 0;

  constructor(socket: Socket, path: string) {
    this.path = path;
    this.#socket = socket;
    this.#file = createWriteStream(path, { flags: 'a' });
    this.#file.on('error', () => undefined);
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      this.#file.write(data);
      this.#received += data.length;
      this.#tail = (this.#tail + data.toString('latin1').replaceAll('\r', '')).slice(-TAIL_CHARS_MAX);
      for (const listener of [...this.#listeners]) listener();
    });
    socket.on('close', () => this.#file.end());
  }

  /** All that is remembered of what the guest printed. */
  get text(): string {
    return this.#tail;
  }

  /** Bytes received so far; tells whether the guest is still speaking. */
  get receivedBytes(): number {
    return this.#received;
  }

  tail(lines = 40): string {
    return this.#tail.trimEnd().split('\n').slice(-lines).join('\n');
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** Called after each arrival; returns its cancellation. */
  onText(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
