/** The user interface headers of the module say what the published wire format says (wire-format.c), to callers of both sizes. */
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt } from '../../vm/index.js';

const asserts = fileURLToPath(new URL('./wire-format.c', import.meta.url));
const timeoutMs = 60_000;

/** Findings of the compiler over headers in `includeDir`; nothing is written. */
export async function checkWireFormat(root: string, includeDir: string): Promise<string[]> {
  const found: string[] = [];
  for (const size of ['-m64', '-m32']) {
    // Debian keeps asm/ in a folder of the 64-bit system, which also serves 32 bits.
    const argv = ['gcc', size, '-std=gnu11', '-Wall', '-Werror', '-fsyntax-only', `-I${includeDir}`,
      '-idirafter', '/usr/include/x86_64-linux-gnu', asserts];
    const { output, exitCode } = await attempt(argv, { phase: 'wire format', timeoutMs });
    const lines = output.split('\n').filter((line) => / (error|warning): /.test(line)).map((line) => line.replace(`${root}/`, ''));
    found.push(...lines.map((line) => `${size}: ${line}`));
    if (exitCode !== 0 && lines.length === 0) found.push(`${size}: ${relative(root, asserts)}: gcc ended with ${exitCode}: ${output}`);
  }
  return found;
}

export function uapiFolder(root: string): string {
  return join(root, 'module/include/uapi');
}
