/** Builds a module folder against a kernel, in a copy: the repository stays free of build products. */
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { cacheRoom, contentKey, readJson } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import { makeEntry } from '../cache/temporary.js';
import { BuildError } from '../errors.js';
import { exec } from '../proc/exec.js';
import { make } from './make.js';
import { compilerVersion } from './tool.js';
import type { KernelBuild, ModuleBuild } from './types.js';

const BUILD_TIMEOUT_MS = 600_000;
const STRIP_TIMEOUT_MS = 30_000;
/** What a module build reads. The tool/ folder is built for user space, elsewhere. */
const INPUT = /(?:\.[chS]|(?:^|\/)(?:Kbuild|Makefile|Kconfig)[^/]*)$/;
const IGNORED = /^(?:tool\/|\.)|\.mod\.c$/;

export async function buildModule(kernel: KernelBuild, moduleDir: string, options: LockOptions = {}): Promise<ModuleBuild> {
  const inputs = (await listFiles(moduleDir)).filter((file) => INPUT.test(file) && !IGNORED.test(file)).sort();
  if (!inputs.some((file) => file === 'Kbuild' || file === 'Makefile')) {
    throw new BuildError('module', `${moduleDir} has neither Kbuild nor Makefile`, moduleDir, 'rig');
  }
  const contents = await Promise.all(inputs.map((file) => readFile(join(moduleDir, file))));
  const key = contentKey(kernel.key, await compilerVersion(), ...inputs.flatMap((file, index) => [file, contents[index] as Buffer]));
  const room = await cacheRoom('modules');
  const dir = join(room, key);
  const found = await readJson<ModuleBuild>(join(dir, 'module.json'));
  if (found) return found;
  return withLock(`module-${key}`, options, async () => {
    const meanwhile = await readJson<ModuleBuild>(join(dir, 'module.json'));
    if (meanwhile) return meanwhile;
    // The log outlives a failed build: it is the evidence.
    const logPath = join(room, `${key}.log`);
    return makeEntry(dir, async (unfinished) => {
      const source = join(unfinished, 'source');
      for (const file of inputs) {
        await mkdir(join(source, file, '..'), { recursive: true });
        await cp(join(moduleDir, file), join(source, file), { dereference: true });
      }
      await writeFile(logPath, '');
      // Without the map, BUG() and WARN() would name this temporary folder.
      await make(['-C', kernel.buildDir, `M=${source}`, `KCFLAGS=-fmacro-prefix-map=${source}/=`, 'modules'], {
        what: 'module build', logPath, timeoutMs: BUILD_TIMEOUT_MS, total: inputs.filter((file) => file.endsWith('.c')).length,
        ...(options.progress ? { progress: options.progress } : {}), ...(options.signal ? { signal: options.signal } : {}),
      });
      const kos = (await readdir(source)).filter((file) => file.endsWith('.ko'));
      if (kos.length !== 1) throw new BuildError('module', `expected one .ko in ${moduleDir}, found ${kos.join(', ') || 'none'}`, logPath);
      const ko = kos[0] as string;
      await copyFile(join(source, ko), join(unfinished, ko));
      await exec(['strip', '--strip-debug', join(unfinished, ko)], { phase: 'module build', timeoutMs: STRIP_TIMEOUT_MS });
      await rm(source, { recursive: true });
      const module: ModuleBuild = { koPath: join(dir, ko), key };
      await writeFile(join(unfinished, 'module.json'), JSON.stringify(module));
      return module;
    });
  });
}

async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new BuildError('module', `cannot read ${dir}: ${error.code}`, dir, 'rig');
  });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}
