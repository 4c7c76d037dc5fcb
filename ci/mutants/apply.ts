/** Applies a mutant's patch to a folder; when it does not fit any more, says where, and how to make it fit again. */
import { dirname } from 'node:path';
import { attempt, parseApplyFailure } from '../../vm/index.js';
import { quote } from '../report/repeat.js';
import type { Mutant } from './load.js';

const timeoutMs = 60_000;
export const phase = 'mutant';

/** The code has moved on under the mutant. */
export class StaleMutantError extends Error {
  readonly code = 'ESTALEMUTANT';
  readonly blame = 'rig';

  constructor({ name, file }: Pick<Mutant, 'name' | 'file'>, place: string, output: string) {
    super(`mutant ${name} no longer applies: the hunk for ${place} does not fit\n${output}\n`
      + `refresh: npm start -- mutants ${quote(name)} --refresh   (or by hand, see suites/mutants/README.md; the patch is ${file})`);
    this.name = new.target.name;
  }
}

/** Undefined when it was applied, else what git says. With `lenient`, one line of context must be right. */
export async function tryApply({ path }: Pick<Mutant, 'path'>, folder: string, lenient = false): Promise<string | undefined> {
  // The ceiling keeps git from taking a repository around the folder for the target.
  const { output, exitCode } = await attempt(['git', 'apply', '--whitespace=nowarn', ...(lenient ? ['-C1'] : []), path], {
    phase, timeoutMs, cwd: folder, env: { GIT_CEILING_DIRECTORIES: dirname(folder) },
  });
  return exitCode === 0 ? undefined : output.trim();
}

/** Throws StaleMutantError. */
export async function applyMutant(mutant: Mutant, folder: string): Promise<void> {
  const output = await tryApply(mutant, folder);
  if (output !== undefined) throw new StaleMutantError(mutant, placeOf(output), output);
}

export function placeOf(output: string): string {
  const { file, hunkLine } = parseApplyFailure(output);
  return [file ?? 'some file', ...(hunkLine === undefined ? [] : [String(hunkLine)])].join(':');
}
