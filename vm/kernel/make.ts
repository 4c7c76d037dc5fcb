/** Runs make with what every build of ours has in common. */
import { availableParallelism } from 'node:os';
import { BuildError } from '../errors.js';
import { attempt } from '../proc/exec.js';
import type { Progress } from '../units.js';
import { firstError } from './tool.js';

export interface MakeOptions {
  readonly logPath: string;
  readonly timeoutMs: number;
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  readonly progress?: Progress;
  /** What the progress calls this. */
  readonly what: string;
  /** Objects that a build from nothing makes; undefined when only some will be made. */
  readonly total?: number;
  /** Of these, how many an earlier, interrupted build has made. Default 0. */
  readonly alreadyDone?: number;
}

/** A build is the same bytes whoever makes it, wherever, whenever. */
const REPRODUCIBLE = {
  KBUILD_BUILD_TIMESTAMP: '1970-01-01', KBUILD_BUILD_USER: 'suite', KBUILD_BUILD_HOST: 'suite', KBUILD_BUILD_VERSION: '1',
};

/** What kbuild would take from a developer's own environment, and no key of the cache tells of. */
const NOT_INHERITED = Object.fromEntries([
  'ARCH', 'CROSS_COMPILE', 'LLVM', 'LLVM_IAS', 'CC', 'HOSTCC', 'LD', 'KCFLAGS', 'KCPPFLAGS', 'KAFLAGS', 'HOSTCFLAGS',
  'LOCALVERSION', 'KBUILD_OUTPUT', 'KBUILD_EXTMOD', 'KCONFIG_CONFIG', 'INSTALL_MOD_PATH', 'INSTALL_MOD_STRIP',
  'MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'V', 'W', 'C', 'O', 'M',
].map((name) => [name, undefined]));

/** Tools and headers of the host whose absence is not our kernel's fault. */
const RIG_SIGNS = new RegExp([
  'No space left on device', 'Cannot allocate memory', 'virtual memory exhausted', 'Killed signal terminated',
  'fatal error: (?:gelf|libelf|openssl/\\w+)\\.h', 'not found$', ': Permission denied$',
].join('|'), 'm');

/** Runs make; counts compiled objects on the way. Returns that count, with those made earlier. */
export async function make(args: readonly string[], options: MakeOptions): Promise<number> {
  let done = options.alreadyDone ?? 0;
  const result = await attempt(['make', `-j${options.jobs ?? availableParallelism()}`, ...args], {
    phase: options.what,
    timeoutMs: options.timeoutMs,
    logPath: options.logPath,
    gentle: true,
    env: { ...NOT_INHERITED, ...REPRODUCIBLE },
    ...(options.signal ? { signal: options.signal } : {}),
    onLine: (line) => {
      if (!/^ {2}(?:CC|AS) /.test(line)) return;
      done += 1;
      options.progress?.({ what: options.what, done, ...(options.total ? { total: Math.max(options.total, done) } : {}) });
    },
  });
  if (result.exitCode !== 0) {
    const blame = RIG_SIGNS.test(result.output) ? 'rig' : 'product';
    throw new BuildError(options.what, firstError(result.output), options.logPath, blame);
  }
  return done;
}
