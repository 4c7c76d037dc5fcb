/** A command in the guest: what it is given, and what can be done with one that runs in the background. */
import type { RunResult } from './result.js';

export interface RunOptions {
  /** Of a guest like `fast`; slower flavours get more (vm/boot/flavour.ts). Default 30000. */
  readonly timeoutMs?: number;
  /** Aborting kills the command and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Default: nothing, the command's stdin is /dev/null. */
  readonly stdin?: Uint8Array | string;
}

export interface StartOptions extends RunOptions {
  /** Default false. True: it runs on a terminal, and stdout carries all that it prints. */
  readonly pty?: boolean;
  /** Default true. False: output goes to the listeners only, and the result has none. */
  readonly keepOutput?: boolean;
}

/** A command in the background. It must be awaited or killed; its deadline counts from its start. */
export interface RunningCommand {
  /** Rejects as run() does, but not for a non-zero status. */
  readonly result: Promise<RunResult>;
  /** Sends a signal (default 15) to its process group; resolves once it has ended. */
  kill(signo?: number): Promise<void>;
  write(data: Uint8Array | string): void;
  /** Closes its stdin. */
  end(): void;
  onStdout(listener: (data: Buffer) => void): void;
  onStderr(listener: (data: Buffer) => void): void;
}
