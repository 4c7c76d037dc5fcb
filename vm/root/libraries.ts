/** Finds the libraries that a program on the host loads. */
import { realpath } from 'node:fs/promises';
import { attempt } from '../proc/exec.js';

export interface Library {
  /** Where the loader looks for it in the guest, such as /lib/x86_64-linux-gnu/libc.so.6. */
  readonly path: string;
  readonly realPath: string;
}

/** Shared libraries of a program, its loader included; empty for a static one. Those in `preferredDir` come first. */
export async function librariesOf(program: string, preferredDir?: string): Promise<Library[]> {
  const env = preferredDir ? { env: { LD_LIBRARY_PATH: preferredDir } } : {};
  const { stdout, exitCode } = await attempt(['ldd', program], { phase: 'guest root', timeoutMs: 20_000, ...env });
  if (exitCode !== 0) return [];
  const paths = parseLdd(stdout);
  return Promise.all(paths.map(async (path) => ({ path, realPath: await realpath(path) })));
}

/** Paths in the output of ldd; pure. */
export function parseLdd(output: string): string[] {
  return output.split('\n').flatMap((line) => /(?:=>\s+)?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1] ?? []);
}
