/** The frame codec between host and agent; pure. vm/guest/agent/ is the other side.
 *  Header, little endian: u32 payload length, u8 type, three zero bytes, u32 run id. */

export const Frame = {
  run: 1, stdin: 2, stdinEof: 3, signal: 4, ping: 5,
  stdout: 16, stderr: 17, exit: 18, klog: 19, pong: 20, stdinAck: 21,
} as const;

export interface DecodedFrame {
  readonly type: number;
  readonly id: number;
  readonly payload: Buffer;
}

export const HEADER_BYTES = 12;
export const PAYLOAD_BYTES_MAX = 1 << 20;
/** Bytes of stdin the host may have under way to one program; see agent.c on flow control. */
export const STDIN_WINDOW_BYTES = 256 << 10;
export const RUN_NO_STDIN = 1;
/** The program gets a terminal; what it prints comes as stdout. */
export const RUN_PTY = 2;

export function encodeFrame(type: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  if (payload.length > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`a frame holds at most ${PAYLOAD_BYTES_MAX} bytes, not ${payload.length}`);
  }
  const frame = Buffer.alloc(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt8(type, 4);
  frame.writeUInt32LE(id, 8);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeRun(id: number, argv: readonly string[], flags: number): Buffer {
  if (argv.length === 0 || argv[0] === '') throw new RangeError('a command needs a program');
  const bad = argv.find((arg) => arg.includes('\0'));
  if (bad !== undefined) throw new RangeError(`an argument cannot hold a NUL byte: ${JSON.stringify(bad)}`);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(flags, 0);
  return encodeFrame(Frame.run, id, Buffer.concat([head, Buffer.from(argv.map((arg) => `${arg}\0`).join(''), 'utf8')]));
}

export function encodeNumber(type: number, id: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(value, 0);
  return encodeFrame(type, id, payload);
}

/** Collects bytes as they arrive and gives back whole frames. Throws RangeError when the stream makes no sense. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #count = 0;

  push(data: Buffer): DecodedFrame[] {
    this.#chunks.push(data);
    this.#count += data.length;
    const frames: DecodedFrame[] = [];
    while (this.#count >= HEADER_BYTES) {
      const head = this.#peek(HEADER_BYTES);
      const length = head.readUInt32LE(0);
      if (length > PAYLOAD_BYTES_MAX * 2) throw new RangeError(`frame of ${length} bytes: the stream is out of step`);
      if (this.#count < HEADER_BYTES + length) break;
      const whole = this.#peek(HEADER_BYTES + length);
      const payload = whole.subarray(HEADER_BYTES, HEADER_BYTES + length);
      frames.push({ type: whole.readUInt8(4), id: whole.readUInt32LE(8), payload });
      this.#drop(HEADER_BYTES + length);
    }
    return frames;
  }

  /** The first chunk, made at least `count` bytes long. */
  #peek(count: number): Buffer {
    const first = this.#chunks[0] as Buffer;
    if (first.length >= count) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #drop(count: number): void {
    this.#chunks[0] = (this.#chunks[0] as Buffer).subarray(count);
    if (this.#chunks[0].length === 0) this.#chunks.shift();
    this.#count -= count;
  }
}
