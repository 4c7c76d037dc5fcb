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
  /** Where external modules are built against (make -C buildDir M=...). */
  readonly buildDir: string;
  readonly sourceDir: string;
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
