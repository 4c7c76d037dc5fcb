/** Builds our static programs: those that run in guests (agent, blkio, files, leftovers, blksnapctl), and small ones for the
 *  host. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoom, contentKey, exists } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import { makeEntry } from '../cache/temporary.js';
import { BuildError } from '../errors.js';
import { attempt, exec } from '../proc/exec.js';
import type { ToolsBuild } from './types.js';

const REPO = fileURLToPath(new URL('../../', import.meta.url));
const CFLAGS = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-static', '-s', '-I', join(REPO, 'module/include/uapi')];
const COMPILE_TIMEOUT_MS = 120_000;

/** Sources of each program: one file, or every .c file of a folder. */
export type Programs = Readonly<Record<string, string>>;

const GUEST_PROGRAMS: Programs = {
  agent: 'vm/guest/agent',
  blkio: 'vm/guest/tools/blkio.c',
  files: 'vm/guest/tools/files.c',
  leftovers: 'vm/guest/tools/leftovers.c',
  blksnapctl: 'module/tool',
};

let compiler: Promise<string> | undefined;

/** First line of gcc --version: part of every build key. */
export function compilerVersion(): Promise<string> {
  compiler ??= exec(['gcc', '--version'], { phase: 'build', timeoutMs: 20_000 })
    .then(({ stdout }) => stdout.split('\n')[0] as string);
  compiler.catch(() => {
    compiler = undefined;
  });
  return compiler;
}

export async function buildTools(options: LockOptions = {}, programs = GUEST_PROGRAMS): Promise<ToolsBuild> {
  const sources = await findSources(programs);
  const names = Object.keys(sources).sort();
  const key = contentKey(await compilerVersion(), CFLAGS.slice(0, -1).join(' '), await hashInputs(sources));
  const dir = join(await cacheRoom('tools'), key);
  const build: ToolsBuild = { dir, key, names };
  if (await exists(dir)) return build;
  return withLock(`tools-${key}`, options, async () => {
    if (await exists(dir)) return build;
    options.progress?.({ what: `building ${names.join(', ')}` });
    await makeEntry(dir, async (unfinished) => {
      await mkdir(unfinished, { recursive: true });
      for (const name of names) await compile(name, sources[name] as string[], unfinished);
    });
    return build;
  });
}

async function compile(name: string, files: readonly string[], dir: string): Promise<void> {
  const logPath = join(await cacheRoom('tools'), `${name}.log`);
  await rm(logPath, { force: true });
  const argv = ['gcc', ...CFLAGS, '-o', join(dir, name), ...files, '-pthread'];
  const result = await attempt(argv, { phase: 'build', timeoutMs: COMPILE_TIMEOUT_MS, logPath });
  if (result.exitCode !== 0) throw new BuildError(name, firstError(result.output), logPath);
}

/** The line of a compiler's output that says what is wrong. */
export function firstError(output: string): string {
  const lines = output.split('\n');
  const found = lines.find((line) => /(?:error:|undefined reference|No space left|\*\*\*)/.test(line));
  return found ?? lines.filter((line) => line.trim()).at(-1) ?? 'no output';
}

async function findSources(programs: Programs): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const [name, path] of Object.entries(programs)) {
    const full = join(REPO, path);
    const files = path.endsWith('.c')
      ? (await exists(full) ? [full] : [])
      : (await readdir(full).catch(() => [])).filter((file) => file.endsWith('.c')).sort().map((file) => join(full, file));
    if (files.length > 0) found[name] = files;
  }
  return found;
}

/** Content of all sources and of the headers beside them and in the uapi folder. */
async function hashInputs(sources: Readonly<Record<string, readonly string[]>>): Promise<string> {
  const files = new Set(Object.values(sources).flat());
  for (const folder of [...new Set([...files].map((file) => dirname(file))), join(REPO, 'module/include/uapi/linux')]) {
    for (const entry of await readdir(folder).catch(() => [])) if (entry.endsWith('.h')) files.add(join(folder, entry));
  }
  const parts = await Promise.all([...files].sort()
    .map(async (file) => contentKey(file.slice(REPO.length), await readFile(file))));
  return parts.join(' ');
}
