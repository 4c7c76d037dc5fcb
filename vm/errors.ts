/** Every way in which the harness can fail, and whom each failure speaks against.
 *  `product`: our patch, module, kernel or a command in the guest broke. `rig`: host, tools or QEMU broke. */

export type Blame = 'product' | 'rig';

export interface HarnessErrorOptions {
  readonly code: string;
  readonly blame: Blame;
  /** What was being done, such as "kernel build" or "guest call". */
  readonly phase: string;
  /** Files worth keeping with a report: logs, console output. */
  readonly evidence?: readonly string[];
  /** What the reader can do about it; undefined when there is nothing to advise. */
  readonly nextStep?: string;
  readonly cause?: unknown;
}

export class HarnessError extends Error {
  readonly code: string;
  readonly blame: Blame;
  readonly phase: string;
  readonly evidence: readonly string[];
  readonly nextStep: string | undefined;

  constructor(message: string, options: HarnessErrorOptions) {
    super(options.nextStep ? `${message}\n${options.nextStep}` : message, { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.blame = options.blame;
    this.phase = options.phase;
    this.evidence = options.evidence ?? [];
    this.nextStep = options.nextStep;
  }
}

/** A host program could not be run, failed, or took too long. */
export class CommandError extends HarnessError {
  readonly argv: readonly string[];
  readonly exitCode: number | undefined;
  readonly output: string;

  constructor(message: string, argv: readonly string[], exitCode: number | undefined, output: string, phase: string) {
    const nextStep = /No space left on device/.test(output) ? 'The disk is full: free some space and run again.' : undefined;
    super(message, { code: 'ECOMMAND', blame: 'rig', phase, ...(nextStep ? { nextStep } : {}) });
    this.argv = argv;
    this.exitCode = exitCode;
    this.output = output;
  }
}

/** A program the harness needs is not installed. */
export class MissingToolError extends HarnessError {
  readonly tool: string;

  constructor(tool: string, phase: string) {
    super(`${tool} is not installed`, {
      code: 'EMISSINGTOOL',
      blame: 'rig',
      phase,
      nextStep: 'Run "npm start -- doctor" to see everything that is missing and how to install it.',
    });
    this.tool = tool;
  }
}

/** kernel-patches/lines.yaml (or another file written by hand) says something we cannot use. */
export class ConfigError extends HarnessError {
  readonly file: string;
  readonly line: number;
  readonly expected: string;

  constructor(file: string, line: number, expected: string, found: string) {
    super(`${file}:${line}: expected ${expected}, found ${found}`, { code: 'ECONFIG', blame: 'rig', phase: 'configuration' });
    this.file = file;
    this.line = line;
    this.expected = expected;
  }
}

/** A kernel source could not be fetched, or is not what its hash says. */
export class SourceError extends HarnessError {
  constructor(message: string, options: { nextStep?: string; cause?: unknown } = {}) {
    super(message, { code: 'ESOURCE', blame: 'rig', phase: 'kernel source', ...options });
  }
}

/** A patch of ours does not apply. */
export class PatchError extends HarnessError {
  readonly patch: string;
  readonly file: string | undefined;
  /** Line of the source file at which the hunk that failed begins; undefined when git named none. */
  readonly hunkLine: number | undefined;

  constructor(patch: string, file: string | undefined, hunkLine: number | undefined, output: string) {
    const where = file ? `: the hunk for ${file}${hunkLine ? `:${hunkLine}` : ''} does not fit` : '';
    super(`patch ${patch} does not apply${where}\n${output}`, { code: 'EPATCH', blame: 'product', phase: 'kernel patch' });
    this.patch = patch;
    this.file = file;
    this.hunkLine = hunkLine;
  }
}

/** Our kernel, module or guest tool does not compile. */
export class BuildError extends HarnessError {
  readonly target: string;
  readonly firstError: string;
  readonly logPath: string;

  constructor(target: string, firstError: string, logPath: string, blame: Blame = 'product') {
    const nextStep = /No space left on device/.test(firstError) ? 'The disk is full: free some space and run again.' : undefined;
    super(`building ${target} failed: ${firstError}\nfull log: ${logPath}`, {
      code: 'EBUILD', blame, phase: 'build', evidence: [logPath], ...(nextStep ? { nextStep } : {}),
    });
    this.target = target;
    this.firstError = firstError;
    this.logPath = logPath;
  }
}

/** The guest never answered after power-on. Product when its kernel spoke and then stopped; rig when nothing spoke. */
export class BootTimeoutError extends HarnessError {
  readonly elapsedMs: number;
  readonly lastLines: string;

  constructor(elapsedMs: number, lastLines: string, blame: Blame, consolePath: string) {
    super(`the guest did not answer within ${elapsedMs} ms of power-on; console:\n${lastLines || '(silent)'}`, {
      code: 'EBOOTTIMEOUT', blame, phase: 'boot', evidence: [consolePath],
    });
    this.elapsedMs = elapsedMs;
    this.lastLines = lastLines;
  }
}
