/** Exact numbers of bytes out of a socket. */
import type { Socket } from 'node:net';

export class SocketReader {
  readonly #socket: Socket;
  #pieces: Buffer[] = [];
  #count = 0;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => {
      this.#pieces.push(data);
      this.#count += data.length;
      this.#wake?.();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#over = true;
      this.#wake?.();
    });
  }

  /** Undefined when the socket has closed before that many came. */
  async take(bytes: number): Promise<Buffer | undefined> {
    while (this.#count < bytes) {
      if (this.#over || this.#socket.destroyed) return undefined;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
    const all = this.#pieces.length === 1 ? this.#pieces[0] as Buffer : Buffer.concat(this.#pieces);
    this.#pieces = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#count -= bytes;
    return all.subarray(0, bytes);
  }
}
