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
  // ldd knows glibc's programs only; those of klibc need their interpreter and nothing else.
  const paths = exitCode === 0 ? parseLdd(stdout) : parseInterpreter(await headersOf(program));
  return Promise.all(paths.map(async (path) => ({ path, realPath: await realpath(path) })));
}

/** Paths in the output of ldd; pure. */
export function parseLdd(output: string): string[] {
  return output.split('\n').flatMap((line) => /(?:=>\s+)?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1] ?? []);
}

async function headersOf(program: string): Promise<string> {
  return (await attempt(['readelf', '-lW', program], { phase: 'guest root', timeoutMs: 20_000 })).stdout;
}

/** The interpreter in the output of readelf; empty for a static program; pure. */
export function parseInterpreter(output: string): string[] {
  return output.split('\n').flatMap((line) => /program interpreter: (\/[^\]]+)\]/.exec(line)?.[1] ?? []);
}
