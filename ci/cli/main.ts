/** Turns what an entry returns or throws into an exit code and one readable message. */
import { endOpenSession } from '../session/session.js';
import { exitCodes, UsageError } from './exit-codes.js';

export async function runMain(main: () => Promise<number>): Promise<never> {
  endWhenUncaught();
  let code: number;
  try {
    code = await main();
  } catch (error) {
    code = tell(error);
  }
  // Written output may still be in a pipe's buffer, and vitest leaves handles open.
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(code);
}

/** An error that no one awaited, and output that no one reads any more, end the run as a signal would. */
function endWhenUncaught(): void {
  let isEnding = false;
  const end = (code: number): void => {
    if (isEnding) return;
    isEnding = true;
    void endOpenSession().finally(() => process.exit(code));
  };
  process.on('uncaughtException', (error) => end(tell(error)));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // The shell has a listener of its own, which tells the guest.
      if (stream.listenerCount('error') === 1) end(error.code === 'EPIPE' ? exitCodes.readerGone : tell(error));
    });
  }
}

function tell(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`usage: ${error.message}\n`);
    return exitCodes.usage;
  }
  const isExpected = error instanceof Error && 'blame' in error;
  const isProduct = isExpected && error.blame === 'product';
  const text = error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${isProduct ? 'product' : 'rig'}: ${text}\n`);
  return isProduct ? exitCodes.productFailed : exitCodes.rigFailed;
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
