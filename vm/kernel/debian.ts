/** A kernel source package of the machine's own distribution: the installed one, else the one apt would fetch.
 *  apt runs with lists of its own in the cache, so that the machine's are neither needed nor touched. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { candidate, ownDistribution, unpackPackage, type AptSource } from '../cache/apt.js';
import { exists } from '../cache/folder.js';
import type { LockOptions } from '../cache/lock.js';
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
  const apt = await ownDistribution();
  const version = await candidate(name, apt, options).catch((cause: unknown) => {
    throw new SourceError(`cannot read package lists: ${errorText(cause)}`, {
      cause, nextStep: 'Check the network and the apt configuration of this machine.',
    });
  });
  if (!version) {
    throw new SourceError(`this distribution has no package ${name}`, {
      nextStep: 'Name a tarball with its sha256 in kernel-patches/lines.yaml instead.',
    });
  }
  return { id: `${name}_${version}`, fetch: (work) => downloadArchive(name, version, apt, work) };
}

async function installedVersion(name: string): Promise<string | undefined> {
  try {
    const argv = ['dpkg-query', '-W', '-f', '${Status}|${Version}', name];
    const { stdout, exitCode } = await attempt(argv, { phase, timeoutMs: QUERY_TIMEOUT_MS });
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
    throw new SourceError(`${path} is not what the package ${name} brought`, {
      nextStep: `Reinstall it: apt-get install --reinstall ${name}`,
    });
  }
  return path;
}

async function downloadArchive(name: string, version: string, apt: AptSource, work: string): Promise<string> {
  const unpacked = await unpackPackage(name, version, apt, work).catch((cause: unknown) => {
    throw new SourceError(`cannot fetch ${name} ${version}: ${errorText(cause)}`, {
      cause, nextStep: 'Check the network and the free space of the cache folder, then run again.',
    });
  });
  const folder = join(unpacked, 'usr/src');
  const path = findTar((await readdir(folder)).map((entry) => join(folder, entry)));
  if (!path) throw new SourceError(`package ${name} holds no source archive`);
  return path;
}

function findTar(paths: readonly string[]): string | undefined {
  return paths.find((path) => /\/linux-source-[^/]*\.tar\.\w+$/.test(path));
}
