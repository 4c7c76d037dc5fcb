/** The files that checks look at, and the names that belong to this machine. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../../vm/index.js';
import { RigError } from '../cli/exit-codes.js';

/** Tracked files and new ones that are not ignored, as they stand in the working tree. */
export async function repositoryFiles(root: string): Promise<string[]> {
  const argv = ['git', '-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const listed = await attempt(argv, { phase: 'checks', timeoutMs: 30_000 });
  const deleted = await attempt(['git', '-C', root, 'ls-files', '-z', '--deleted'], { phase: 'checks', timeoutMs: 30_000 });
  // Without this, a repository that git will not read would pass every check.
  const failed = [listed, deleted].find(({ exitCode }) => exitCode !== 0);
  if (failed) throw new RigError(`git cannot list the files of the repository: ${failed.stderr.trim()}`);
  const gone = new Set(deleted.stdout.split('\0'));
  return listed.stdout.split('\0').filter((file) => file !== '' && !gone.has(file)).sort();
}

/** Hosts of the npm registry and of apt's sources: they may be private, and never belong in the repository. */
export async function packageHosts(): Promise<string[]> {
  const { stdout: registry } = await attempt(['npm', 'config', 'get', 'registry'], { phase: 'checks', timeoutMs: 30_000 });
  const apt = ['/etc/apt/sources.list', ...listFolder('/etc/apt/sources.list.d')].map(readOr).join('\n');
  const urls = `${registry}\n${apt}`.match(/https?:\/\/[^/\s]+/g) ?? [];
  return [...new Set(urls.map((url) => new URL(url).host))];
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
