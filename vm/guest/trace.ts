/** Traces a piece of a guest's kernel, instruction by instruction, through QEMU's gdb stub.
 *
 *  The machine stops at one function, is stepped with interrupts off until it comes to another, and goes on. Time plays no
 *  part. Now and then QEMU takes two instructions for one step: who counts takes more than one trace. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { HarnessError } from '../errors.js';
import { temporaryFolder } from '../proc/cleanup.js';
import { sleep, within } from '../units.js';
import type { Guest } from './guest.js';

export interface Trace {
  /** Address of each executed instruction, in order; the first function's first one first. */
  readonly executed: readonly bigint[];
  /** What memory holds at each of them: 15 bytes, or up to the end of the page. */
  readonly code: ReadonlyMap<bigint, Buffer>;
}

export interface TraceEnds {
  readonly from: bigint;
  /** The first of these functions that is called ends the trace. */
  readonly to: readonly bigint[];
}

const STEPS_MAX = 20_000;
const ANSWER_TIMEOUT_MS = 60_000;
/** No instruction of x86 is longer. */
const INSTRUCTION_BYTES = 15;
const PAGE_BYTES = 4096n;
/** What QEMU's stub reads at once. */
const READ_BYTES_MAX = 1024;
/** Its place among the registers. */
const RIP = 16;

/** Runs `trigger`, which must lead to a call of the function `from`, and traces the first such call. */
export async function traceKernel(guest: Guest, { from, to }: TraceEnds, trigger: () => Promise<unknown>): Promise<Trace> {
  const socketPath = join(temporaryFolder('gdb'), 'socket');
  await guest.monitor('human-monitor-command', { 'command-line': `gdbserver unix:${socketPath},server=on,wait=off` });
  const stub = new Stub(await connected(socketPath));
  let triggered: Promise<unknown> | undefined;
  try {
    await stub.ask(`Z0,${from.toString(16)},1`, 'ok');
    const stop = stub.ask('c', 'stop');
    stop.catch(() => undefined);
    triggered = trigger();
    triggered.catch(() => undefined);
    const thread = /thread:([^;]+);/.exec(await stop)?.[1] ?? '';
    await stub.ask(`z0,${from.toString(16)},1`, 'ok');
    await stub.ask(`Hg${thread}`, 'ok');
    return await stepTo(stub, thread, new Set(to));
  } finally {
    stub.detach();
    await guest.monitor('human-monitor-command', { 'command-line': 'gdbserver none' });
    await guest.monitor('cont');
    await triggered;
  }
}

async function stepTo(stub: Stub, thread: string, ends: ReadonlySet<bigint>): Promise<Trace> {
  const executed: bigint[] = [];
  const code = new Map<bigint, Buffer>();
  const pages = new Map<bigint, Buffer>();
  for (;;) {
    const at = await stub.instructionPointer();
    if (ends.has(at)) return { executed, code };
    if (executed.length === STEPS_MAX) throw stubError(`what was to end the trace did not come within ${STEPS_MAX} instructions`);
    executed.push(at);
    const page = at - at % PAGE_BYTES;
    if (!pages.has(page)) pages.set(page, await stub.memory(page, Number(PAGE_BYTES)));
    const offset = Number(at - page);
    code.set(at, (pages.get(page) as Buffer).subarray(offset, offset + INSTRUCTION_BYTES));
    await stub.ask(`vCont;s:${thread}`, 'stop');
  }
}

/** QEMU listens a moment after it has answered. */
async function connected(path: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect(path);
    const error = await new Promise<Error | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined));
      socket.once('error', resolve);
    });
    if (!error) return socket;
    if (tries === 50) throw stubError(error.message);
    await sleep(20);
  }
}

function stubError(message: string): HarnessError {
  return new HarnessError(`gdb stub: ${message}`, { code: 'EGDB', blame: 'rig', phase: 'trace' });
}

/** What an answer looks like. Others come unasked, such as that the machine has stopped because we connected. */
const answers = { ok: /^OK$/, stop: /^[TS]/, hex: /^[0-9a-f]+$/ } as const;

/** The remote serial protocol as far as it is needed: one question at a time, `$text#sum`. */
class Stub {
  readonly #socket: Socket;
  #input = '';
  #take: ((text: string) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => this.#read(data.toString('latin1')));
    socket.on('error', () => undefined);
  }

  async ask(text: string, kind: keyof typeof answers): Promise<string> {
    const answer = new Promise<string>((resolve) => {
      this.#take = (packet) => {
        if (answers[kind].test(packet) || /^E..$/.test(packet)) resolve(packet);
      };
    });
    this.#send(text);
    const value = await within(answer, ANSWER_TIMEOUT_MS);
    if (value === undefined || !answers[kind].test(value)) throw stubError(`${text}: ${value ?? 'no answer'}`);
    return value;
  }

  /** Of the thread that stopped. */
  async instructionPointer(): Promise<bigint> {
    return Buffer.from(await this.ask('g', 'hex'), 'hex').readBigUInt64LE(RIP * 8);
  }

  async memory(address: bigint, length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let at = 0; at < length; at += READ_BYTES_MAX) {
      const ask = `m${(address + BigInt(at)).toString(16)},${Math.min(READ_BYTES_MAX, length - at).toString(16)}`;
      pieces.push(Buffer.from(await this.ask(ask, 'hex'), 'hex'));
    }
    return Buffer.concat(pieces);
  }

  detach(): void {
    this.#send('D');
    this.#socket.end();
  }

  #read(text: string): void {
    this.#input += text;
    for (let packet = /\$([^#]*)#../.exec(this.#input); packet; packet = /\$([^#]*)#../.exec(this.#input)) {
      this.#input = this.#input.slice(packet.index + packet[0].length);
      this.#socket.write('+');
      this.#take?.(packet[1] as string);
    }
  }

  #send(text: string): void {
    const sum = Buffer.from(text, 'latin1').reduce((total, byte) => (total + byte) & 0xff, 0);
    this.#socket.write(`$${text}#${sum.toString(16).padStart(2, '0')}`);
  }
}
