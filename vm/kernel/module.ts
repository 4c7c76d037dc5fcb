/** Builds a module folder against a kernel, in a copy: the repository stays free of build products. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { cacheRoom, contentKey, readJson } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import { makeEntry } from '../cache/temporary.js';
import { BuildError } from '../errors.js';
import { makeModule, takeProduct } from './module-make.js';
import { compilerVersion } from './tool.js';
import type { KernelBuild, ModuleBuild } from './types.js';

/** What a module build does not read: products of another one, hidden files, and tool/, which is for user space. */
const IGNORED = /^tool\/|(?:^|\/)\.|\.(?:o|ko|mod|mod\.c|a|cmd|symvers|order|md)$/;
/** Test modules are told by their names, as in the kernel's tree. */
export const KUNIT_PRODUCT = /_kunit\.ko$/;
/** What a Kbuild is asked for when only the KUnit tests are wanted. */
const ONLY_KUNIT = ['CONFIG_BLKSNAP=', 'CONFIG_BLKSNAP_KUNIT_TEST=m'];
/** For a Kbuild that asks the kernel's configuration, as one in its tree does. */
const AS_MODULE = ['CONFIG_BLKSNAP=m'];

export async function buildModule(kernel: KernelBuild, moduleDir: string, options: LockOptions = {}): Promise<ModuleBuild> {
  const { paths, key, logPath } = await buildProducts(kernel, moduleDir, AS_MODULE, options);
  const [koPath, ...more] = paths.filter((path) => !KUNIT_PRODUCT.test(path));
  if (koPath === undefined || more.length > 0) {
    const found = [koPath, ...more].filter(Boolean).join(', ') || 'none';
    throw new BuildError('module', `expected one .ko in ${moduleDir}, found ${found}`, logPath);
  }
  return { koPath, key };
}

/** The KUnit test modules of a folder, which need no other module; none when it has no such tests. */
export async function buildKunit(kernel: KernelBuild, dir: string, options: LockOptions = {}): Promise<string[]> {
  return (await buildProducts(kernel, dir, ONLY_KUNIT, options)).paths.filter((path) => KUNIT_PRODUCT.test(path));
}

interface Products {
  readonly key: string;
  /** Every .ko, in the cache. */
  readonly paths: readonly string[];
  readonly logPath: string;
}

async function buildProducts(
  kernel: KernelBuild, moduleDir: string, args: readonly string[], options: LockOptions,
): Promise<Products> {
  const contents = await moduleInputs(moduleDir);
  const key = contentKey(kernel.key, args.join(' '), await compilerVersion(), ...contents.flat());
  const room = await cacheRoom('modules');
  const dir = join(room, key);
  const found = await readJson<Products>(join(dir, 'products.json'));
  if (found) return found;
  return withLock(`module-${key}`, options, async () => {
    const meanwhile = await readJson<Products>(join(dir, 'products.json'));
    if (meanwhile) return meanwhile;
    // The log outlives a failed build: it is the evidence.
    const logPath = join(room, `${key}.log`);
    return makeEntry(dir, async (unfinished) => {
      const source = join(unfinished, 'source');
      // What the key was made of, whatever has become of the folder since.
      for (const [file, content] of contents) {
        await mkdir(join(source, file, '..'), { recursive: true });
        await writeFile(join(source, file), content);
      }
      const total = contents.filter(([file]) => file.endsWith('.c')).length;
      await makeModule(kernel, source, { ...options, logPath, args, total });
      const kos = (await readdir(source)).filter((file) => file.endsWith('.ko'));
      for (const ko of kos) await takeProduct(join(source, ko), join(unfinished, ko));
      await rm(source, { recursive: true });
      const products: Products = { key, paths: kos.map((ko) => join(dir, ko)), logPath };
      await writeFile(join(unfinished, 'products.json'), JSON.stringify(products));
      return products;
    });
  });
}

/** The files that a build reads, by their paths in the folder, in one order. */
export async function moduleInputs(moduleDir: string): Promise<[file: string, content: Buffer][]> {
  const inputs = (await listFiles(moduleDir)).filter((file) => !IGNORED.test(file)).sort();
  if (!inputs.some((file) => file === 'Kbuild' || file === 'Makefile')) {
    throw new BuildError('module', `${moduleDir} has neither Kbuild nor Makefile`, moduleDir, 'rig');
  }
  return Promise.all(inputs.map(async (file): Promise<[string, Buffer]> => [file, await readFile(join(moduleDir, file))]));
}

async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new BuildError('module', `cannot read ${dir}: ${error.code}`, dir, 'rig');
  });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}
