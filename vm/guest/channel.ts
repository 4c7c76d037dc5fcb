/** The control channel: many commands at a time over one socket, each ended by exactly one answer or error. */
import type { Socket } from 'node:net';
import {
  encodeFrame, encodeNumber, encodeRun, Frame, FrameDecoder, RUN_NO_STDIN, RUN_PTY, STDIN_WINDOW_BYTES, type DecodedFrame,
} from './frames.js';
import { lostRecords, parseKmsg, sequenceOf, type KlogLine } from './klog.js';

export interface RawResult {
  readonly exitCode: number;
  /** Undefined when the program ended by itself. */
  readonly signal: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** One command under way. */
export class Call {
  readonly id: number;
  readonly argv: readonly string[];
  readonly result: Promise<RawResult>;
  readonly #send: (frame: Buffer) => void;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #stdoutListeners = new Set<(data: Buffer) => void>();
  readonly #stderrListeners = new Set<(data: Buffer) => void>();
  /** What listeners have had need not be kept as well. */
  readonly #keepsOutput: boolean;
  #queue: Buffer[] = [];
  #underWayBytes = 0;
  #stdinEnded = false;
  #resolve!: (result: RawResult) => void;
  #reject!: (error: unknown) => void;

  constructor(id: number, argv: readonly string[], keepsOutput: boolean, send: (frame: Buffer) => void) {
    this.id = id;
    this.argv = argv;
    this.#keepsOutput = keepsOutput;
    this.#send = send;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.result.catch(() => undefined);
  }

  write(data: Uint8Array | string): void {
    this.#queue.push(typeof data === 'string' ? Buffer.from(data, 'utf8') : Buffer.from(data));
    this.#pump();
  }

  end(): void {
    this.#stdinEnded = true;
    this.#pump();
  }

  kill(signo: number): void {
    this.#send(encodeNumber(Frame.signal, this.id, signo));
  }

  onStdout(listener: (data: Buffer) => void): void {
    this.#stdoutListeners.add(listener);
  }

  onStderr(listener: (data: Buffer) => void): void {
    this.#stderrListeners.add(listener);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  /** Takes a frame that carries this call's id; true when it was the last. */
  take(frame: DecodedFrame): boolean {
    switch (frame.type) {
      case Frame.stdout:
        if (this.#keepsOutput) this.#stdout.push(frame.payload);
        for (const listener of this.#stdoutListeners) listener(frame.payload);
        return false;
      case Frame.stderr:
        if (this.#keepsOutput) this.#stderr.push(frame.payload);
        for (const listener of this.#stderrListeners) listener(frame.payload);
        return false;
      case Frame.stdinAck:
        this.#underWayBytes -= frame.payload.readUInt32LE(0);
        this.#pump();
        return false;
      case Frame.exit:
        this.#resolve({
          exitCode: frame.payload.readUInt32LE(0),
          signal: frame.payload.readUInt32LE(4) || undefined,
          stdout: Buffer.concat(this.#stdout),
          stderr: Buffer.concat(this.#stderr),
        });
        return true;
      default:
        return false;
    }
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#underWayBytes < STDIN_WINDOW_BYTES) {
      const head = this.#queue[0] as Buffer;
      const part = head.subarray(0, Math.min(STDIN_WINDOW_BYTES - this.#underWayBytes, 65_536));
      if (part.length > 0) this.#send(encodeFrame(Frame.stdin, this.id, part));
      this.#underWayBytes += part.length;
      if (part.length === head.length) this.#queue.shift();
      else this.#queue[0] = head.subarray(part.length);
    }
    if (this.#stdinEnded && this.#queue.length === 0) {
      this.#stdinEnded = false;
      this.#send(encodeFrame(Frame.stdinEof, this.id));
    }
  }
}

export class Channel {
  readonly klog: KlogLine[] = [];
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #calls = new Map<number, Call>();
  readonly #pings = new Map<number, { resolve(): void; reject(error: unknown): void }>();
  #nextId = 1;
  #nextRecord: number | undefined;
  #failure: unknown;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      try {
        for (const frame of this.#decoder.push(data)) this.#take(frame);
      } catch (error) {
        this.fail(error);
      }
    });
  }

  start(
    argv: readonly string[], options: { readonly stdin: boolean; readonly pty?: boolean; readonly keepOutput?: boolean },
  ): Call {
    const id = this.#nextId++;
    const call = new Call(id, argv, options.keepOutput ?? true, (frame) => this.#send(frame));
    if (this.#failure) {
      call.fail(this.#failure);
      return call;
    }
    this.#calls.set(id, call);
    this.#send(encodeRun(id, argv, (options.stdin ? 0 : RUN_NO_STDIN) | (options.pty ? RUN_PTY : 0)));
    return call;
  }

  /** Resolves once the agent has answered; by then every kernel line printed before has arrived. */
  async ping(): Promise<void> {
    if (this.#failure) throw this.#failure as Error;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pings.set(id, { resolve, reject });
      this.#send(encodeFrame(Frame.ping, id));
    });
  }

  /** Forgets a call: whatever still comes for it is dropped. */
  forget(call: Call, error: unknown): void {
    this.#calls.delete(call.id);
    call.fail(error);
  }

  /** Ends every call, now and later, with this error. Only the first error counts. */
  fail(error: unknown): void {
    this.#failure ??= error;
    for (const call of this.#calls.values()) call.fail(this.#failure);
    for (const ping of this.#pings.values()) ping.reject(this.#failure);
    this.#calls.clear();
    this.#pings.clear();
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** The commands that have not ended. */
  get underWay(): readonly (readonly string[])[] {
    return [...this.#calls.values()].map(({ argv }) => argv);
  }

  #send(frame: Buffer): void {
    if (!this.#failure) this.#socket.write(frame);
  }

  #takeRecord(record: string): void {
    const [line, sequence] = [parseKmsg(record), sequenceOf(record)];
    if (!line || sequence === undefined) return;
    const lost = sequence - (this.#nextRecord ?? sequence);
    if (lost > 0) this.klog.push(lostRecords(lost, line.timeUs));
    this.#nextRecord = sequence + 1;
    this.klog.push(line);
  }

  #take(frame: DecodedFrame): void {
    if (frame.type === Frame.klog) {
      this.#takeRecord(frame.payload.toString('utf8'));
    } else if (frame.type === Frame.pong) {
      this.#pings.get(frame.id)?.resolve();
      this.#pings.delete(frame.id);
    } else if (this.#calls.get(frame.id)?.take(frame)) {
      this.#calls.delete(frame.id);
    }
  }
}
