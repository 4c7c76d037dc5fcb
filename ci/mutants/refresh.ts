/** Whether the patches of mutants still fit the code; and npm start -- mutants --refresh, which writes those anew that
 *  fit only roughly. A head stays as it is. What does not even fit roughly is left alone, and told. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { attempt, patchedFiles, temporaryFolder, touchedFiles, type KernelLine } from '../../vm/index.js';
import type { Check } from '../checks/check.js';
import { exitCodes } from '../cli/exit-codes.js';
import { replaceFile } from '../report/results.js';
import type { Progress } from '../session/progress.js';
import { readSpec } from '../spec/load.js';
import { phase, placeOf, StaleMutantError, tryApply } from './apply.js';
import { readMutants, type Mutant } from './load.js';

const timeoutMs = 60_000;

/** What mutants are patches to. */
export interface Code {
  readonly moduleDir: string;
  /** Not needed for mutants of the module. */
  readonly line?: KernelLine;
}

/** A step of npm test: heads are right, and patches fit. Builds nothing. */
export function mutantsCheck(root: string, kind: Mutant['kind'], code: Code): Check {
  return {
    name: `mutants of the ${kind} apply`,
    repeat: 'npm start -- mutants --refresh',
    run: async () => {
      const mutants = readMutants(root, readSpec(root)).filter((mutant) => mutant.kind === kind);
      const contents = await contentsOf(mutants, code);
      const found: string[] = [];
      for (const mutant of mutants) {
        const output = await withFiles(mutant, contents, ({ after }) => tryApply(mutant, after));
        if (output !== undefined) found.push(new StaleMutantError(mutant, placeOf(output), output).message);
      }
      return found;
    },
  };
}

export async function refreshMutants(mutants: readonly Mutant[], code: Code, progress: Progress): Promise<number> {
  const contents = await contentsOf(mutants, code);
  let isGood = true;
  for (const mutant of mutants) {
    const old = readFileSync(mutant.path, 'utf8');
    const fresh = await withFiles(mutant, contents, (folders) => refreshed(mutant, old, folders));
    if (fresh.text !== undefined && fresh.text !== old) replaceFile(mutant.path, fresh.text);
    isGood &&= fresh.text !== undefined;
    const outcome = fresh.text !== undefined && sameBut(fresh.text, old) ? 'fits' : 'written anew: look at what it breaks now';
    progress.say(`${mutant.name}: ${fresh.text === undefined ? `needs a hand: the hunk for ${fresh.place} is nowhere near` : outcome}`);
  }
  return isGood ? exitCodes.passed : exitCodes.rigFailed;
}

/** The patch with the line numbers that the code has now; as it is when it does not fit. */
export async function asItApplies(mutant: Mutant, code: Code): Promise<string> {
  const old = readFileSync(mutant.path, 'utf8');
  return (await withFiles(mutant, await contentsOf([mutant], code), (folders) => refreshed(mutant, old, folders))).text ?? old;
}

/** Equal but for line numbers and for the hashes of whole files. */
function sameBut(one: string, other: string): boolean {
  const plain = (text: string) => text.replace(/^(@@ -.*|index .*)$/gm, '');
  return plain(one) === plain(other);
}

interface Folders {
  readonly work: string;
  readonly after: string;
}

async function refreshed(mutant: Mutant, old: string, { work, after }: Folders): Promise<{ text?: string; place?: string }> {
  const output = await tryApply(mutant, after, true);
  if (output !== undefined) return { place: placeOf(output) };
  // Folders a and b, so that the names come out as they do in a patch; little context, so that it fits for long.
  const { stdout } = await attempt(['git', 'diff', '--no-index', '--no-prefix', '--no-color', '-U2', 'a', 'b'], {
    phase, timeoutMs, cwd: work, env: { GIT_CEILING_DIRECTORIES: dirname(work) },
  });
  return { text: old.slice(0, old.indexOf('diff --git ')) + stdout };
}

/** What the files that mutants change hold now. A file of the module that is gone is not in it. */
async function contentsOf(mutants: readonly Mutant[], { line, moduleDir }: Code): Promise<Map<string, Buffer>> {
  const filesOf = (kind: Mutant['kind']) => [...new Set(mutants.filter((one) => one.kind === kind).flatMap(filesIn))];
  const ofModule = filesOf('module').map((file) => [file, join(moduleDir, relative('module', file))] as const)
    .filter(([, path]) => existsSync(path)).map(([file, path]) => [file, readFileSync(path)] as const);
  const ofKernel = filesOf('kernel');
  return new Map([...ofModule, ...(line && ofKernel.length > 0 ? await patchedFiles(line, ofKernel) : [])]);
}

function filesIn({ path }: Mutant): string[] {
  return touchedFiles(readFileSync(path, 'utf8'));
}

/** Lets `use` work on two copies of the files that the mutant changes, one to compare with and one to change. */
async function withFiles<T>(mutant: Mutant, contents: ReadonlyMap<string, Buffer>, use: (folders: Folders) => Promise<T>): Promise<T> {
  const work = temporaryFolder('refresh-');
  const folders = ['a', 'b'].map((name) => join(work, name)) as [string, string];
  try {
    for (const folder of folders) {
      mkdirSync(folder);
      for (const file of filesIn(mutant)) {
        const content = contents.get(file);
        if (content === undefined) continue;
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        writeFileSync(join(folder, file), content);
      }
    }
    return await use({ work, after: folders[1] });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
