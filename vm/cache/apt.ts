/** Debian packages without installing them: found, downloaded and unpacked by apt with lists of its own in the cache,
 *  so that the machine's lists and sources are neither needed nor touched. */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { attempt, exec } from '../proc/exec.js';
import { cacheRoom } from './folder.js';
import { withLock, type LockOptions } from './lock.js';

const QUERY_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 1_800_000;
const phase = 'Debian package';

/** One place that apt may take packages from. */
export interface AptSource {
  /** Folder of its lists. */
  readonly dir: string;
  readonly args: readonly string[];
}

/** The machine's own distribution. */
export function ownDistribution(): Promise<AptSource> {
  return aptSource([], 'apt');
}

/** Another suite of the machine's own distribution, from where the machine itself takes it; undefined if it names no such
 *  place. */
export async function otherSuite(suite: string): Promise<AptSource | undefined> {
  const { stdout, exitCode } = await attempt(
    ['apt-get', 'indextargets', '--format', '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)', 'Identifier: Packages'],
    { phase, timeoutMs: QUERY_TIMEOUT_MS });
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME="?(\w+)/m.exec(release)?.[1];
  const sources = exitCode === 0 && codename ? suiteSources(stdout, codename, suite) : '';
  if (sources === '') return undefined;
  const dir = await aptFolder('apt', suite);
  await mkdir(join(dir, 'no-parts'), { recursive: true });
  await writeFile(join(dir, 'suite.list'), sources);
  const settings = [`Dir::Etc::SourceList=${join(dir, 'suite.list')}`, `Dir::Etc::SourceParts=${join(dir, 'no-parts')}`];
  return aptSource(settings.flatMap((setting) => ['-o', setting]), 'apt', suite);
}

/** From the index targets of the machine's sources to sources.list lines of another suite; pure. */
export function suiteSources(targets: string, codename: string, suite: string): string {
  const lines = targets.split('\n').flatMap((line) => {
    const [uri, release, component, signedBy] = line.split('|');
    if (!uri || release !== codename || !component) return [];
    const options = signedBy?.startsWith('/') ? ` [signed-by=${signedBy}]` : '';
    return [`deb${options} ${uri} ${suite} ${component}\n`];
  });
  return [...new Set(lines)].join('');
}

async function aptFolder(...names: readonly string[]): Promise<string> {
  const dir = join(await cacheRoom('sources'), ...names);
  await mkdir(dir, { recursive: true });
  return dir;
}

async function aptSource(args: readonly string[], ...folder: readonly string[]): Promise<AptSource> {
  const dir = await aptFolder(...folder);
  await mkdir(join(dir, 'lists/partial'), { recursive: true });
  await mkdir(join(dir, 'archives/partial'), { recursive: true });
  return {
    dir,
    args: [
      '-q', ...args, '-o', `Dir::State::Lists=${join(dir, 'lists')}`, '-o', `Dir::Cache=${dir}`,
      // Otherwise root's apt changes to a user who cannot write to our folder.
      '-o', `APT::Sandbox::User=${userInfo().username}`,
    ],
  };
}

/** The version that apt would take, after reading the lists if there are none that know the package. */
export async function candidate(name: string, source: AptSource, options: LockOptions): Promise<string | undefined> {
  const known = await knownCandidate(name, source);
  if (known) return known;
  await withLock('apt', options, async () => {
    options.progress?.({ what: 'reading the package lists of this distribution' });
    await exec(['apt-get', ...source.args, 'update'], { phase, timeoutMs: FETCH_TIMEOUT_MS });
  });
  return knownCandidate(name, source);
}

async function knownCandidate(name: string, { args }: AptSource): Promise<string | undefined> {
  const { stdout } = await attempt(['apt-cache', ...args, 'policy', name], { phase, timeoutMs: QUERY_TIMEOUT_MS });
  return parseCandidate(name, stdout);
}

/** The version that apt would install; apt also answers for names that merely resemble the one asked for. Pure. */
export function parseCandidate(name: string, output: string): string | undefined {
  const lines = output.split('\n');
  const start = lines.indexOf(`${name}:`);
  const line = start < 0 ? undefined : lines.slice(start + 1, start + 4).find((text) => text.includes('Candidate:'));
  const version = /^\s+Candidate: (\S+)/.exec(line ?? '')?.[1];
  return version === '(none)' ? undefined : version;
}

/** Downloads one package, which apt verifies against the signed lists, and unpacks it below `work`. Returns the folder. */
export async function unpackPackage(name: string, version: string, source: AptSource, work: string): Promise<string> {
  const unpacked = join(work, 'package');
  await mkdir(unpacked, { recursive: true });
  try {
    await exec(['apt-get', ...source.args, 'download', `${name}=${version}`], { phase, timeoutMs: FETCH_TIMEOUT_MS, cwd: work });
    const file = (await readdir(work)).find((entry) => entry.endsWith('.deb'));
    if (!file) throw new Error('apt-get left no package');
    await exec(['dpkg-deb', '-x', join(work, file), unpacked], { phase, timeoutMs: FETCH_TIMEOUT_MS });
    await rm(join(work, file));
  } catch (cause) {
    // The mirror may have moved on to a newer version: the next run reads the lists afresh.
    await rm(source.dir, { recursive: true, force: true });
    throw cause;
  }
  return unpacked;
}
