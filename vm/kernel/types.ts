/** What a finished build is. Paths lie in the cache and stay valid as long as the cache does. */

export interface KernelBuild {
  /** Kernel line, such as "6.12". */
  readonly line: string;
  readonly flavour: string;
  /** Hash of everything that went in: source, patches, configuration, compiler. */
  readonly key: string;
  /** As uname -r prints it. */
  readonly release: string;
  readonly bzImage: string;
  /** Where external modules are built against (make -C buildDir M=...); holds all they need, and never changes. */
  readonly buildDir: string;
  /** The line's patched tree. It follows the series: the next build of this line may change it. */
  readonly sourceDir: string;
  /** The line's object folder (make -C sourceDir O=objectDir ...); changes along with sourceDir. */
  readonly objectDir: string;
  /** Flat folder of the kernel's own .ko files. */
  readonly modulesDir: string;
  readonly configPath: string;
}

export interface ModuleBuild {
  readonly koPath: string;
  readonly key: string;
}

/** Static programs built for the guest, by name. */
export interface ToolsBuild {
  readonly dir: string;
  readonly key: string;
  readonly names: readonly string[];
}
