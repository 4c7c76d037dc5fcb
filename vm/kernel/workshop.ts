/** Builds one module again and again with a file or two changed: what has not changed is not compiled anew. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { contentKey } from '../cache/folder.js';
import { BuildError } from '../errors.js';
import { KUNIT_PRODUCT, moduleInputs } from './module.js';
import { makeModule, takeProduct } from './module-make.js';
import type { KernelBuild, ModuleBuild } from './types.js';

export class ModuleWorkshop {
  readonly #kernel: KernelBuild;
  readonly #dir: string;
  readonly #original = new Map<string, Buffer>();
  /** Files that are not as they were. */
  #changed = new Set<string>();

  private constructor(kernel: KernelBuild, dir: string) {
    this.#kernel = kernel;
    this.#dir = dir;
  }

  /** `dir` is a new folder of the caller's, who removes it. Compiles everything once. */
  static async open(kernel: KernelBuild, moduleDir: string, dir: string): Promise<ModuleWorkshop> {
    const shop = new ModuleWorkshop(kernel, dir);
    for (const [file, content] of await moduleInputs(moduleDir)) {
      shop.#original.set(file, content);
      const path = join(shop.#source, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
    await shop.#make();
    return shop;
  }

  /** The module with these files, by their paths in its folder, instead of its own. Throws BuildError when it does not compile.
   *  The product stays until the next build. */
  async build(files: ReadonlyMap<string, Uint8Array>): Promise<ModuleBuild> {
    for (const file of this.#changed) {
      const content = this.#original.get(file);
      if (content === undefined) await rm(join(this.#source, file), { force: true });
      else if (!files.has(file)) await writeFile(join(this.#source, file), content);
    }
    this.#changed = new Set(files.keys());
    for (const [file, content] of files) await writeFile(join(this.#source, file), content);
    await this.#make();
    const kos = (await readdir(this.#source)).filter((file) => file.endsWith('.ko') && !KUNIT_PRODUCT.test(file));
    const [ko] = kos;
    if (ko === undefined || kos.length > 1) {
      throw new BuildError('module', `expected one .ko, found ${kos.join(', ') || 'none'}`, this.#log);
    }
    const koPath = join(this.#dir, ko);
    await takeProduct(join(this.#source, ko), koPath);
    const named = [...files].flatMap(([file, content]) => [file, Buffer.from(content)]);
    return { koPath, key: contentKey('workshop', this.#kernel.key, ...[...this.#original].flat(), ...named) };
  }

  get #source(): string {
    return join(this.#dir, 'source');
  }

  get #log(): string {
    return join(this.#dir, 'build.log');
  }

  async #make(): Promise<void> {
    await makeModule(this.#kernel, this.#source, { logPath: this.#log, total: this.#original.size });
  }
}
