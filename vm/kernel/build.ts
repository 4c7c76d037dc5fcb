/** Builds a kernel of a line and flavour, or takes it from the cache.
 *
 *  Each line has one patched tree and, per flavour, one object folder. Both stay, so that a changed patch costs
 *  what it touches, and an interrupted build goes on where it was. What a build yields is copied out under its key. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoom, contentKey, exists, readJson } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import { prune, touch } from '../cache/prune.js';
import { makeEntry } from '../cache/temporary.js';
import { exec } from '../proc/exec.js';
import { findProgram } from '../proc/find.js';
import { checkConfig, mergedConfig, readFragments, type Fragment } from './config.js';
import type { KernelLine } from './lines.js';
import { make } from './make.js';
import { patchesKey, readPatch, readPatches, syncTree, type Patch } from './patch.js';
import { countObjects, removeUnfinishedObjects } from './resume.js';
import { ensureSource, type PristineSource } from './source.js';
import { compilerVersion } from './tool.js';
import type { KernelBuild } from './types.js';

const BUILD_TIMEOUT_MS = 3_600_000;
const STEP_TIMEOUT_MS = 300_000;
/** Objects of a build from nothing, until one has been counted here. */
const OBJECTS_GUESS = 1090;
/** Raised when the way of building changes, so that old results are not taken for new ones. */
const RECIPE = 1;
/** About 100 MB each. */
const KERNELS_KEPT = 8;
const VARIANTS_KEPT = 32;
const ARCH_IMAGE = 'arch/x86/boot/bzImage';

interface Work {
  readonly line: KernelLine;
  readonly flavour: string;
  readonly source: PristineSource;
  readonly patches: readonly Patch[];
  readonly fragments: readonly Fragment[];
  readonly tree: string;
  readonly objects: string;
}

export interface KernelOptions extends LockOptions {
  /** Patches to go behind the line's own, such as a mutant. What comes of them is kept apart from the line's kernels,
   *  so that many of these do not push out one of those. */
  readonly extraPatches?: readonly string[];
}

export async function ensureKernel(line: KernelLine, flavour: string, options: KernelOptions = {}): Promise<KernelBuild> {
  if (!line.flavours.includes(flavour)) {
    throw new RangeError(`line ${line.name} has no flavour ${flavour}; it has ${line.flavours.join(', ')}`);
  }
  const [series, extra, fragments, compiler] = await Promise.all([
    readPatches(line.patchesDir), Promise.all((options.extraPatches ?? []).map(readPatch)),
    readFragments(flavour, line.configDir), compilerVersion()]);
  const patches = [...series, ...extra];
  const source = await ensureSource(line, options);
  const key = contentKey(String(RECIPE), source.id, patchesKey(patches), mergedConfig(fragments), compiler);
  const kernels = await cacheRoom('kernels');
  const [room, kept] = extra.length > 0 ? [await cacheRoom('variants'), VARIANTS_KEPT] : [kernels, KERNELS_KEPT];
  const dir = join(room, key);
  const workDir = join(kernels, 'work', line.name);
  const places = placesOf(dir, join(workDir, 'source'), join(workDir, flavour));
  const found = await openKernel(dir, places);
  if (found) return found;
  return withLock(`line-${line.name}`, options, async () => {
    const meanwhile = await openKernel(dir, places);
    if (meanwhile) return meanwhile;
    const work: Work = { line, flavour, source, patches, fragments, tree: places.sourceDir, objects: places.objectDir };
    await prune(room, kept, ['work']);
    await build(work, join(workDir, `${flavour}.log`), options);
    return keep(work, key, dir);
  });
}

type Places = Pick<KernelBuild, 'bzImage' | 'buildDir' | 'modulesDir' | 'configPath' | 'sourceDir' | 'objectDir'>;

/** Not read from the entry: a cache may have been brought here from where it had another path, as CI systems do. */
function placesOf(dir: string, sourceDir: string, objectDir: string): Places {
  return {
    bzImage: join(dir, 'bzImage'),
    buildDir: join(dir, 'build'),
    modulesDir: join(dir, 'modules'),
    configPath: join(dir, 'config'),
    sourceDir,
    objectDir,
  };
}

async function openKernel(dir: string, places: Places): Promise<KernelBuild | undefined> {
  const kernel = await readJson<KernelBuild>(join(dir, 'kernel.json'));
  if (!kernel || !await exists(places.bzImage)) return undefined;
  await touch(dir);
  return { ...kernel, ...places };
}

async function build(work: Work, logPath: string, options: LockOptions): Promise<void> {
  const { tree, objects, line } = work;
  options.progress?.({ what: `patching ${line.name}` });
  await syncTree(work.source, work.patches, tree);
  await mkdir(objects, { recursive: true });
  await writeFile(logPath, '');
  const countPath = `${objects}.count`;
  const unfinished = `${objects}.unfinished`;
  if (await exists(unfinished)) await removeUnfinishedObjects(objects);
  const fromNothing = !await exists(join(objects, 'vmlinux.o'));
  await writeFile(unfinished, '');
  const signal = options.signal ? { signal: options.signal } : {};
  const base = ['-C', tree, `O=${objects}`, ...await compilerArgs()];

  options.progress?.({ what: `configuring ${line.name}` });
  await writeFile(join(objects, '.config'), mergedConfig(work.fragments));
  await make([...base, 'olddefconfig'], { what: 'kernel configuration', logPath, timeoutMs: STEP_TIMEOUT_MS, ...signal });
  checkConfig(work.fragments, await readFile(join(objects, '.config'), 'utf8'));

  const alreadyDone = fromNothing ? await countObjects(objects) : 0;
  const total = fromNothing ? (await readJson<number>(countPath)) ?? OBJECTS_GUESS : undefined;
  const count = await make([...base, 'bzImage', 'modules'], {
    what: 'kernel build', logPath, timeoutMs: BUILD_TIMEOUT_MS, alreadyDone, ...signal,
    ...(total ? { total } : {}), ...(options.progress ? { progress: options.progress } : {}),
  });
  if (fromNothing) await writeFile(countPath, String(count));
  await rm(unfinished);
}

/** ccache when it is there: it makes the second build from nothing a matter of a minute. */
async function compilerArgs(): Promise<string[]> {
  return await findProgram('ccache') ? ['CC=ccache gcc', 'HOSTCC=ccache gcc'] : [];
}

/** Copies out what others need, complete or not at all. */
async function keep(work: Work, key: string, dir: string): Promise<KernelBuild> {
  const { objects, tree } = work;
  return makeEntry(dir, async (unfinished) => {
    await mkdir(join(unfinished, 'modules'), { recursive: true });
    await copyFile(join(objects, ARCH_IMAGE), join(unfinished, 'bzImage'));
    await copyFile(join(objects, '.config'), join(unfinished, 'config'));
    const order = (await readFile(join(objects, 'modules.order'), 'utf8')).split('\n').filter(Boolean);
    for (const object of order) {
      const ko = object.replace(/\.o$/, '.ko');
      const target = join(unfinished, 'modules', ko.slice(ko.lastIndexOf('/') + 1));
      await copyFile(join(objects, ko), target);
      await exec(['strip', '--strip-debug', target], { phase: 'kernel build', timeoutMs: STEP_TIMEOUT_MS });
    }
    await copyBuildFolder(work, join(unfinished, 'build'));
    const kernel: KernelBuild = {
      line: work.line.name,
      flavour: work.flavour,
      key,
      release: (await readFile(join(objects, 'include/config/kernel.release'), 'utf8')).trim(),
      ...placesOf(dir, tree, objects),
    };
    await writeFile(join(unfinished, 'kernel.json'), `${JSON.stringify(kernel, null, 2)}\n`);
    return kernel;
  });
}

/** The kernel's own script knows what external modules need: headers, scripts, symbol versions. */
async function copyBuildFolder({ tree, objects }: Work, target: string): Promise<void> {
  await exec(['sh', join(tree, 'scripts/package/install-extmod-build'), target], {
    phase: 'kernel build', timeoutMs: STEP_TIMEOUT_MS, cwd: objects,
    env: { srctree: tree, objtree: objects, SRCARCH: 'x86', CC: 'gcc', HOSTCC: 'gcc', MAKE: 'make' },
  });
  await copyFile(join(objects, '.config'), join(target, '.config'));
}
