/** Stands in for libraries that a program is linked to but that no guest ever uses.
 *
 *  Distributions link fio with Ceph, Gluster, RDMA and persistent-memory clients: 80 MB of libraries whose loading
 *  takes a third of a second per start under TCG. Each is replaced by a library of the same name whose functions
 *  abort; an fio engine that needs one ends with a clear signal instead of reaching a network that is not there. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoom, contentKey, exists } from '../cache/folder.js';
import { withTemporary } from '../cache/temporary.js';
import { exec } from '../proc/exec.js';

export const STUBBED_LIBRARIES: readonly string[] = [
  'librbd.so.1', 'librados.so.2', 'libgfapi.so.0', 'libnbd.so.0', 'libibverbs.so.1', 'librdmacm.so.1', 'libpmemblk.so.1',
  'libpmem.so.1',
];

const TOOL_TIMEOUT_MS = 60_000;
const phase = 'guest root';

export interface DynamicSymbol {
  readonly name: string;
  /** Empty when the symbol has no version. */
  readonly version: string;
  readonly defined: boolean;
}

/** Section index, name and version, as readelf prints them after number, value, size, type and binding. */
const SYMBOL = /^\s*\d+: [0-9a-f]+\s+\S+ (?:FUNC|OBJECT|NOTYPE|IFUNC)\s+(?:GLOBAL|WEAK)\s+\S+\s+(\S+) ([^@\s]+)(?:@+(\S+))?/;

/** Symbols in the output of readelf --dyn-syms; pure. */
export function parseDynamicSymbols(output: string): DynamicSymbol[] {
  return output.split('\n').flatMap((line) => {
    const match = SYMBOL.exec(line);
    return match ? [{ name: match[2] as string, version: match[3] ?? '', defined: match[1] !== 'UND' }] : [];
  });
}

/** Source and version script of a stub with these symbols; pure. */
export function stubSource(symbols: readonly DynamicSymbol[]): { code: string; versions: string } {
  const code = `${symbols.map(({ name }) => `void ${name}(void) { __builtin_trap(); }`).join('\n')}\n`;
  const byVersion = new Map<string, string[]>();
  for (const { name, version } of symbols) {
    if (version) byVersion.set(version, [...(byVersion.get(version) ?? []), name]);
  }
  const nodes = [...byVersion].map(([version, names]) => `${version} { ${names.map((name) => `${name};`).join(' ')} };\n`);
  return { code, versions: nodes.join('') };
}

/** A folder with stubs of those of the listed libraries that the program needs. `libraries` maps name to real path. */
export async function stubLibraries(program: string, libraries: ReadonlyMap<string, string>): Promise<string> {
  const wanted = (await dynamicSymbols(program)).filter(({ defined }) => !defined);
  const sources: { soname: string; code: string; versions: string }[] = [];
  for (const soname of STUBBED_LIBRARIES) {
    const path = libraries.get(soname);
    if (!path) continue;
    const offered = new Set((await dynamicSymbols(path)).filter(({ defined }) => defined).map(({ name }) => name));
    sources.push({ soname, ...stubSource(wanted.filter(({ name }) => offered.has(name))) });
  }
  const dir = join(await cacheRoom('tools'), `stubs-${contentKey(JSON.stringify(sources))}`);
  if (await exists(dir)) return dir;
  await withTemporary(dir, async (unfinished) => {
    await mkdir(unfinished);
    for (const source of sources) await compileStub(source, unfinished);
    // Two runs may do this at once, with the same result: the second rename is in vain.
    await rename(unfinished, dir).catch(async (error: unknown) => {
      if (!await exists(dir)) throw error;
    });
  });
  return dir;
}

async function compileStub(
  { soname, code, versions }: { soname: string; code: string; versions: string }, dir: string,
): Promise<void> {
  const base = join(dir, soname);
  await writeFile(`${base}.c`, code);
  await writeFile(`${base}.map`, versions);
  const script = versions ? [`-Wl,--version-script=${base}.map`] : [];
  const flags = ['-shared', '-fPIC', '-nostdlib', '-w', '-fno-builtin', `-Wl,-soname,${soname}`];
  await exec(['gcc', ...flags, ...script, '-o', base, `${base}.c`], {
    phase, timeoutMs: TOOL_TIMEOUT_MS,
  });
  await rm(`${base}.c`);
  await rm(`${base}.map`);
}

async function dynamicSymbols(path: string): Promise<DynamicSymbol[]> {
  const { stdout } = await exec(['readelf', '--dyn-syms', '--wide', path], { phase, timeoutMs: TOOL_TIMEOUT_MS });
  return parseDynamicSymbols(stdout);
}
