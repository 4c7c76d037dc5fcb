/** Facts that tell which run a report is of, so that shards of one run are known as such. */
import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { attempt } from '../../vm/index.js';
import type { Plan, Shard } from '../select/plan.js';

/** Properties of a run that are not repeated in each test. `tests` and `list`: number and digest of all that the whole run
 *  runs; `module`: folder of another module than the repository's own, seen from the repository, which lies elsewhere on another
 *  machine; `kernelKey` and `moduleKey`: hash of all that went into the build. */
export const originNames = ['commit', 'selection', 'shard', 'tests', 'list', 'module', 'kernelKey', 'moduleKey', 'mergedFrom'] as const;

export type OriginName = typeof originNames[number];
export type Origin = Readonly<Partial<Record<OriginName, string>>>;

/** What of the command line goes into it. */
interface Choices {
  readonly selection: readonly string[];
  readonly specIds: readonly string[];
  readonly exclude: readonly string[];
  readonly long: boolean;
  readonly shard: Shard;
  readonly moduleDir: string | undefined;
}

export async function runOrigin(root: string, { selection, specIds, exclude, long, shard, moduleDir }: Choices, plan: Plan): Promise<Origin> {
  const words = [
    ...selection.map((word) => JSON.stringify(word)), ...specIds.flatMap((id) => ['--spec', id]),
    ...exclude.flatMap((word) => ['--exclude', JSON.stringify(word)]), ...(long ? ['--long'] : []),
  ];
  return {
    commit: await commitOf(root),
    selection: words.length === 0 ? 'all' : words.join(' '),
    shard: `${shard.index}/${shard.count}`,
    tests: String(plan.total),
    list: plan.digest,
    ...(moduleDir === undefined ? {} : { module: relative(root, moduleDir) }),
  };
}

/** The commit, with a hash behind it when tracked files differ from it. `unknown` where there is no git or no repository. */
async function commitOf(root: string): Promise<string> {
  const git = (...args: string[]) => attempt(['git', '-C', root, ...args], { phase: 'origin', timeoutMs: 30_000 });
  try {
    const head = await git('rev-parse', 'HEAD');
    const diff = await git('diff', '--no-ext-diff', 'HEAD');
    if (head.exitCode !== 0 || diff.exitCode !== 0) return 'unknown';
    const changes = diff.stdout === '' ? '' : `+${createHash('sha256').update(diff.stdout).digest('hex').slice(0, 8)}`;
    return `${head.stdout.trim()}${changes}`;
  } catch {
    return 'unknown'; // attempt throws where git is not installed
  }
}
