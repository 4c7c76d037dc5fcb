/** Every mutant still applies to the code that it breaks: one that does not proves nothing any more. */
import { dirname, join } from 'node:path';
import { attempt } from '../../vm/index.js';

const timeoutMs = 60_000;

/** Files of the repository that are mutants of the module, or of the kernel. */
export function mutantsOf(kind: 'module' | 'kernel', files: readonly string[]): string[] {
  return files.filter((file) => new RegExp(`^suites/mutants/${kind}/[^/]+\\.patch$`).test(file));
}

/** Tries each on `tree`, which stays as it is. Findings are those that do not apply. */
export async function checkMutants(root: string, mutants: readonly string[], tree: string): Promise<string[]> {
  const found: string[] = [];
  for (const mutant of mutants) {
    // The ceiling keeps git from taking a repository around the tree for the target.
    const { output, exitCode } = await attempt(['git', 'apply', '--check', join(root, mutant)], {
      phase: 'mutants', timeoutMs, cwd: tree, env: { GIT_CEILING_DIRECTORIES: dirname(tree) },
    });
    if (exitCode !== 0) found.push(`${mutant}: does not apply: ${output.trim().split('\n')[0]}`);
  }
  return found;
}
