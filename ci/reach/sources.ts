/** The sources that are under test: the module's, and those files of the kernel that the line's patches change. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { patchedFiles, touchedFiles, type KernelLine } from '../../vm/index.js';

const ofModule = /(?<!_kunit)\.[ch]$/;
/** Headers of the whole kernel are left out: half of it would be built anew. */
const ofKernel = /^block\/(?:.*\.c|blk-filter\.h)$/;

/** Texts by path, as mutants name them: `module/...` and `block/...`. */
export async function sourcesUnderTest(line: KernelLine, moduleDir: string): Promise<Map<string, string>> {
  const files = readdirSync(moduleDir).filter((name) => ofModule.test(name));
  const module = files.map((name) => [`module/${name}`, readFileSync(join(moduleDir, name), 'utf8')] as const);
  const patches = readdirSync(line.patchesDir).filter((name) => name.endsWith('.patch'));
  const touched = new Set(patches.flatMap((name) => touchedFiles(readFileSync(join(line.patchesDir, name), 'utf8'))));
  const kernel = await patchedFiles(line, [...touched].filter((file) => ofKernel.test(file)));
  return new Map([...module, ...[...kernel].map(([file, content]) => [file, content.toString()] as const)]);
}
