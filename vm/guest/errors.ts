/** Ways in which a call into a guest ends badly. Kept apart from vm/errors.ts only for size; vm/index.ts exports both. */
import { HarnessError } from '../errors.js';
import { formatArgv } from '../units.js';

/** A command in the guest ended with a non-zero status. */
export class GuestExitError extends HarnessError {
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly signal: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;

  constructor(argv: readonly string[], exitCode: number, signal: number | undefined, stdout: Buffer, stderr: Buffer) {
    const how = signal ? `was ended by signal ${signal}` : `ended with status ${exitCode}`;
    super(`${formatArgv(argv)} ${how}\n${tailText(stderr.length ? stderr : stdout)}`, {
      code: 'EGUESTEXIT', blame: 'product', phase: 'guest call',
    });
    this.argv = argv;
    this.exitCode = exitCode;
    this.signal = signal;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** The guest kernel panicked or oopsed (an oops is made to panic). */
export class GuestPanicError extends HarnessError {
  readonly kind: 'panic' | 'oops';
  /** The console from the first sign of trouble on. */
  readonly excerpt: string;

  constructor(kind: 'panic' | 'oops', summary: string, excerpt: string, consolePath: string) {
    super(`guest ${kind}: ${summary}\n${excerpt}`, {
      code: 'EGUESTPANIC', blame: 'product', phase: 'guest call', evidence: [consolePath],
    });
    this.kind = kind;
    this.excerpt = excerpt;
  }
}

/** QEMU is gone, and the guest's console gives no reason. The rig's fault, unless the guest did it itself. */
export class GuestLostError extends HarnessError {
  readonly lastLines: string;

  constructor(how: string, lastLines: string, consolePath: string, wasGuest = false) {
    super(`the guest is gone: ${how}; last console lines:\n${lastLines || '(silent)'}`, {
      code: 'EGUESTLOST', blame: wasGuest ? 'product' : 'rig', phase: 'guest call', evidence: [consolePath],
      ...(wasGuest ? {} : { nextStep: 'Look for memory shortage on the host (dmesg) or for something that kills QEMU.' }),
    });
    this.lastLines = lastLines;
  }
}

/** A call did not end by its deadline. */
export class GuestTimeoutError extends HarnessError {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
  /** What the kernel printed for sysrq-w: its tasks in uninterruptible sleep. Empty when it no longer listens. */
  readonly blockedTasks: string;
  /** False when the whole guest had stopped answering, not only this command. */
  readonly guestAnswers: boolean;

  constructor(argv: readonly string[], timeoutMs: number, blockedTasks: string, guestAnswers: boolean,
    lastLines: string, consolePath: string) {
    const scope = guestAnswers ? 'the guest still answers other calls' : 'the whole guest stopped answering';
    const said = blockedTasks || lastLines || '(console silent)';
    super(`${formatArgv(argv)} did not end within ${timeoutMs} ms; ${scope}\n${said}`, {
      code: 'EGUESTTIMEOUT', blame: 'product', phase: 'guest call', evidence: [consolePath],
    });
    this.argv = argv;
    this.timeoutMs = timeoutMs;
    this.blockedTasks = blockedTasks;
    this.guestAnswers = guestAnswers;
  }
}

/** The caller itself closed the guest, cut its power or aborted while a call was under way. */
export class GuestClosedError extends HarnessError {
  constructor(why: string) {
    super(why, { code: 'EGUESTCLOSED', blame: 'rig', phase: 'guest call' });
  }
}

const EXCERPT_BYTES = 4096;

function tailText(bytes: Buffer): string {
  return bytes.subarray(Math.max(0, bytes.length - EXCERPT_BYTES)).toString('utf8').trimEnd();
}
