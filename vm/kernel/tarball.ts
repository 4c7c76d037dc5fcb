/** A kernel tarball from a URL or a path, checked against its hash before anything looks inside. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SourceError } from '../errors.js';
import { errorText } from '../units.js';

const DOWNLOAD_TIMEOUT_MS = 1_800_000;

export async function fetchTarball(location: string, sha256: string, work: string): Promise<string> {
  const path = /^https?:/.test(location) ? await download(location, work) : location;
  const found = await hashFile(path);
  if (found !== sha256) {
    throw new SourceError(`${location} is not what lines.yaml names: its SHA-256 is ${found}, expected ${sha256}`, {
      nextStep: 'Either the file changed at its source, or the hash in kernel-patches/lines.yaml is wrong.',
    });
  }
  return path;
}

async function download(url: string, work: string): Promise<string> {
  const path = join(work, basename(new URL(url).pathname) || 'source.tar');
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
    return path;
  } catch (cause) {
    throw new SourceError(`cannot download ${url}: ${errorText(cause)}`, {
      cause, nextStep: 'Check the network, or put a copy on this machine and name its path in kernel-patches/lines.yaml.',
    });
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (cause) {
    throw new SourceError(`cannot read ${path}: ${errorText(cause)}`, { cause });
  }
  return hash.digest('hex');
}
