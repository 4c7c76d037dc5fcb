/** Ties our own streams to a command in a guest. */
import type { Guest, RunningCommand } from '../../vm/index.js';
import type { ShellRequest } from './request.js';

/** Ctrl-]: leaves a guest that no longer reacts. */
const LEAVE = 0x1d;
const SIGHUP = 1;

/** Resolves with the command's exit code, or undefined when the user left. Rejects when the guest ended under it. */
export async function runOnStreams(guest: Guest, request: ShellRequest): Promise<number | undefined> {
  const call = guest.start(request.argv, { pty: request.pty, keepOutput: false, timeoutMs: Infinity });
  call.onStdout((data) => process.stdout.write(data));
  call.onStderr((data) => process.stderr.write(data));
  // A reader that has gone, such as head(1), ends the command, as it does for any.
  process.stdout.on('error', () => void call.kill(SIGHUP));
  const { stdin } = process;
  const left = new Promise<undefined>((resolve) => {
    stdin.on('data', (data: Buffer) => {
      if (request.pty && data.includes(LEAVE)) resolve(undefined);
      else call.write(data);
    });
  });
  stdin.on('end', () => call.end());
  stdin.on('error', () => call.end());
  if (request.pty) enterRawMode(guest);
  try {
    return await Promise.race([call.result.then(({ exitCode }) => exitCode), left]);
  } finally {
    if (request.pty) stdin.setRawMode(false);
    stdin.pause();
    process.stdout.removeAllListeners('resize');
    abandon(call);
  }
}

function enterRawMode(guest: Guest): void {
  process.stdin.setRawMode(true);
  const resize = (): void => {
    const { rows, columns } = process.stdout;
    void guest.attempt(['stty', '-F', '/dev/pts/0', 'rows', String(rows), 'cols', String(columns)]).catch(() => undefined);
  };
  resize();
  process.stdout.on('resize', resize);
}

/** What is still running ends with the guest. */
function abandon(call: RunningCommand): void {
  call.result.catch(() => undefined);
}
