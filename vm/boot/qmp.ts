/** QEMU's machine protocol: JSON lines over a socket. */
import type { Socket } from 'node:net';
import { HarnessError } from '../errors.js';

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly command: string;
}

export class Qmp {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #text = '';
  #nextId = 1;
  #gone = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => this.#take(data.toString('utf8')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#gone = true;
      for (const pending of this.#pending.values()) pending.reject(qmpError(pending.command, 'QEMU is gone'));
      this.#pending.clear();
    });
  }

  /** Runs a command; rejects with QEMU's own words. */
  async execute<T = unknown>(command: string, args?: Readonly<Record<string, unknown>>): Promise<T> {
    if (this.#gone) throw qmpError(command, 'QEMU is gone');
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, command });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  /** Listens to events; returns its cancellation. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(text: string): void {
    this.#text += text;
    const lines = this.#text.split('\n');
    this.#text = lines.pop() as string;
    for (const line of lines) {
      if (line.trim() === '') continue;
      const message = JSON.parse(line) as Record<string, unknown>;
      if (typeof message['event'] === 'string') {
        for (const listener of [...this.#listeners]) listener(message as unknown as QmpEvent);
        continue;
      }
      const pending = this.#pending.get(message['id'] as number);
      if (!pending) continue;
      this.#pending.delete(message['id'] as number);
      const error = message['error'] as { desc: string } | undefined;
      if (error) pending.reject(qmpError(pending.command, error.desc));
      else pending.resolve(message['return']);
    }
  }
}

function qmpError(command: string, why: string): HarnessError {
  return new HarnessError(`QEMU monitor: ${command}: ${why}`, { code: 'EQMP', blame: 'rig', phase: 'qemu' });
}
