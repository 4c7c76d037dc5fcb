/** A kernel source package of the machine's own distribution: the installed one, else the one apt would fetch.
 *  apt runs with lists of its own in the cache, so that the machine's are neither needed nor touched. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { cacheRoom, exists } from '../cache/folder.js';
import { withLock, type LockOptions } from '../cache/lock.js';
import { SourceError } from '../errors.js';
import { attempt, exec } from '../proc/exec.js';
import { errorText } from '../units.js';
import type { SourceArchive } from './source.js';

const QUERY_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 1_800_000;
const phase = 'kernel source';

export async function findDebianSource(name: string, options: LockOptions = {}): Promise<SourceArchive> {
  const installed = await installedVersion(name);
  if (installed) return { id: `${name}_${installed}`, fetch: () => installedArchive(name) };
  const apt = await aptOptions();
  let version = await candidateVersion(name, apt);
  if (!version) {
    await withLock('apt', options, async () => {
      options.progress?.({ what: 'reading the package lists of this distribution' });
      await exec(['apt-get', ...apt, 'update'], { phase, timeoutMs: FETCH_TIMEOUT_MS }).catch((cause: unknown) => {
        throw new SourceError(`cannot read package lists: ${errorText(cause)}`, {
          cause, nextStep: 'Check the network and the apt configuration of this machine.',
        });
      });
    });
    version = await candidateVersion(name, apt);
  }
  if (!version) {
    throw new SourceError(`this distribution has no package ${name}`, {
      nextStep: 'Name a tarball with its sha256 in kernel-patches/lines.yaml instead.',
    });
  }
  return { id: `${name}_${version}`, fetch: (work) => downloadArchive(name, version, apt, work) };
}

async function installedVersion(name: string): Promise<string | undefined> {
  try {
    const { stdout, exitCode } = await attempt(['dpkg-query', '-W', '-f', '${Status}|${Version}', name], { phase, timeoutMs: QUERY_TIMEOUT_MS });
    return exitCode === 0 ? /^install ok installed\|(.+)$/.exec(stdout.trim())?.[1] : undefined;
  } catch {
    return undefined;
  }
}

async function installedArchive(name: string): Promise<string> {
  const verified = await attempt(['dpkg', '--verify', name], { phase, timeoutMs: FETCH_TIMEOUT_MS });
  const { stdout } = await exec(['dpkg-query', '-L', name], { phase, timeoutMs: QUERY_TIMEOUT_MS });
  const path = findTar(stdout.split('\n'));
  if (!path || !await exists(path)) throw new SourceError(`the installed package ${name} holds no source archive`);
  if (verified.stdout.includes(path)) {
    throw new SourceError(`${path} is not what the package ${name} brought`, { nextStep: `Reinstall it: apt-get install --reinstall ${name}` });
  }
  return path;
}

/** apt-get verifies what it downloads against the signed lists. */
async function downloadArchive(name: string, version: string, apt: readonly string[], work: string): Promise<string> {
  const unpacked = join(work, 'package');
  await mkdir(unpacked, { recursive: true });
  try {
    await exec(['apt-get', ...apt, 'download', `${name}=${version}`], { phase, timeoutMs: FETCH_TIMEOUT_MS, cwd: work });
    const file = (await readdir(work)).find((entry) => entry.endsWith('.deb'));
    if (!file) throw new Error('apt-get left no package');
    await exec(['dpkg-deb', '-x', join(work, file), unpacked], { phase, timeoutMs: FETCH_TIMEOUT_MS });
  } catch (cause) {
    // The mirror may have moved on to a newer version: the next run reads the lists afresh.
    await rm(join(await cacheRoom('sources'), 'apt'), { recursive: true, force: true });
    throw new SourceError(`cannot fetch ${name} ${version}: ${errorText(cause)}`, {
      cause, nextStep: 'Check the network and the free space of the cache folder, then run again.',
    });
  }
  const folder = join(unpacked, 'usr/src');
  const path = findTar((await readdir(folder)).map((entry) => join(folder, entry)));
  if (!path) throw new SourceError(`package ${name} holds no source archive`);
  return path;
}

async function candidateVersion(name: string, apt: readonly string[]): Promise<string | undefined> {
  const { stdout } = await attempt(['apt-cache', ...apt, 'policy', name], { phase, timeoutMs: QUERY_TIMEOUT_MS });
  return parseCandidate(name, stdout);
}

/** The version that apt would install; apt also answers for names that merely resemble the one asked for. Pure. */
export function parseCandidate(name: string, output: string): string | undefined {
  const lines = output.split('\n');
  const start = lines.indexOf(`${name}:`);
  const version = start < 0 ? undefined : /^\s+Candidate: (\S+)/.exec(lines.slice(start + 1, start + 4).find((line) => line.includes('Candidate:')) ?? '')?.[1];
  return version === '(none)' ? undefined : version;
}

async function aptOptions(): Promise<string[]> {
  const dir = join(await cacheRoom('sources'), 'apt');
  await mkdir(join(dir, 'lists/partial'), { recursive: true });
  await mkdir(join(dir, 'archives/partial'), { recursive: true });
  return [
    '-q', '-o', `Dir::State::Lists=${join(dir, 'lists')}`, '-o', `Dir::Cache=${dir}`,
    // Otherwise root's apt changes to a user who cannot write to our folder.
    '-o', `APT::Sandbox::User=${userInfo().username}`,
  ];
}

function findTar(paths: readonly string[]): string | undefined {
  return paths.find((path) => /\/linux-source-[^/]*\.tar\.\w+$/.test(path));
}
