/** Finds programs on the host and the libraries they load. */
import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../proc/exec.js';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Full path of a program, looked for in the system's folders also when PATH of a plain user lacks them. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...new Set([...(process.env['PATH'] ?? '').split(':').filter(Boolean), ...FOLDERS])];
  for (const folder of folders) {
    const path = join(folder, name);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return undefined;
}

export interface Library {
  /** Where the loader looks for it in the guest, such as /lib/x86_64-linux-gnu/libc.so.6. */
  readonly path: string;
  readonly realPath: string;
}

/** Shared libraries of a program, its loader included; empty for a static one. */
export async function librariesOf(program: string): Promise<Library[]> {
  const { stdout, exitCode } = await attempt(['ldd', program], { phase: 'guest root', timeoutMs: 20_000 });
  if (exitCode !== 0) return [];
  const paths = parseLdd(stdout);
  return Promise.all(paths.map(async (path) => ({ path, realPath: await realpath(path) })));
}

/** Paths in the output of ldd; pure. */
export function parseLdd(output: string): string[] {
  return output.split('\n').flatMap((line) => /(?:=>\s+)?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1] ?? []);
}
