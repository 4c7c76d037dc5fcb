/** What doctor looks up about this machine, apart from the list of needs. Reads only. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findNeed, type Need } from './needs.js';

const versionTimeoutMs = 10_000;

export interface NeedFact {
  readonly need: Need;
  /** Undefined when missing. */
  readonly path: string | undefined;
  /** The program's own words; empty for files and for programs that do not say. */
  readonly version: string;
}

export function lookUp(need: Need): NeedFact {
  const path = findNeed(need);
  return { need, path, version: path !== undefined && need.command !== undefined ? versionOf(path, need.version ?? '--version') : '' };
}

function versionOf(path: string, flag: string): string {
  const { stdout, stderr } = spawnSync(path, [flag], { encoding: 'utf8', timeout: versionTimeoutMs, input: '' });
  const line = `${stdout ?? ''}\n${stderr ?? ''}`.split('\n').find((one) => /\d+\.\d+/.test(one)) ?? '';
  return /v?\d+(\.\d+)+[\w.-]*/.exec(line)?.[0] ?? '';
}

export function kvmDevice(): string {
  if (!existsSync('/dev/kvm')) return 'missing';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return 'present (which proves nothing: a probe boot decides)';
  } catch {
    return 'present, but not ours to open';
  }
}

/** Bytes that files below the folder occupy; a file with several names counts once. */
export function sizeBytes(folder: string, seen: Set<number> = new Set()): number {
  if (!existsSync(folder)) return 0;
  let sum = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sum += sizeBytes(path, seen);
    else if (entry.isFile()) sum += fileBytes(path, seen);
  }
  return sum;
}

function fileBytes(path: string, seen: Set<number>): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || seen.has(found.ino)) return 0;
  if (found.nlink > 1) seen.add(found.ino);
  return found.blocks * 512;
}

/** Free bytes where the folder is or would be created. */
export function freeBytes(folder: string): number {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}
