/** Turns what an entry returns or throws into an exit code and one readable message. */
import { exitCodes, UsageError } from './exit-codes.js';

export async function runMain(main: () => Promise<number>): Promise<never> {
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
