/** What the host must have (needs.json), and what of it is there. */
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Manager = 'apt' | 'dnf' | 'pacman';

export interface Need {
  readonly name: string;
  readonly why: string;
  /** A program that must be found; or else `files`. */
  readonly command?: string;
  /** What makes the program print its version. Default --version. */
  readonly version?: string;
  /** Headers or libraries, of which all must be found below the usual folders. */
  readonly files?: readonly string[];
  /** The program must not need shared libraries. */
  readonly static?: boolean;
  /** Wished for, never required. */
  readonly optional?: boolean;
  /** The package that brings it, by manager; only an optional need may lack one. */
  readonly apt?: string;
  readonly dnf?: string;
  readonly pacman?: string;
}

interface NeedsFile {
  readonly managers: Readonly<Record<Manager, string>>;
  readonly needs: readonly Need[];
}

const file = JSON.parse(readFileSync(new URL('./needs.json', import.meta.url), 'utf8')) as NeedsFile;

export const hostNeeds = file.needs;
export const installCommands = file.managers;

const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Where the need is met, or undefined. */
export function findNeed(need: Need): string | undefined {
  if (need.command !== undefined) {
    const paths = candidates(need.command);
    return need.static ? paths.find(isStatic) : paths[0];
  }
  const found = (need.files ?? []).map(findFile);
  return found.every((path) => path !== undefined) ? found[0] : undefined;
}

export function missingNeeds(needs: readonly Need[] = hostNeeds): Need[] {
  return needs.filter((need) => findNeed(need) === undefined);
}

function candidates(command: string): string[] {
  // The system's own folders too: an ordinary user's PATH often lacks sbin.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...systemFolders];
  return [...new Set(folders)].map((folder) => join(folder, command)).filter(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // absent, or in a folder that is not ours to look into
  }
}

function findFile(name: string): string | undefined {
  const libraries = ['/usr/lib', '/usr/lib64'].filter((folder) => existsSync(folder));
  const multiarch = (folder: string) =>
    existsSync(folder) ? readdirSync(folder).filter((entry) => entry.endsWith('-linux-gnu')).map((entry) => join(folder, entry)) : [];
  const folders = name.endsWith('.h')
    ? ['/usr/include', ...multiarch('/usr/include')]
    : [...libraries, ...libraries.flatMap(multiarch)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

const elfSizes = { headerBytes: 64, programHeaderBytes: 56, interpreterType: 3 };

/** A 64-bit ELF program without an interpreter segment needs no shared libraries. */
export function isStatic(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(elfSizes.headerBytes);
    readSync(fd, header, 0, header.length, 0);
    if (header.toString('latin1', 0, 4) !== '\u007fELF') return false;
    const table = Buffer.alloc(header.readUInt16LE(56) * elfSizes.programHeaderBytes);
    readSync(fd, table, 0, table.length, Number(header.readBigUInt64LE(32)));
    for (let at = 0; at < table.length; at += elfSizes.programHeaderBytes) {
      if (table.readUInt32LE(at) === elfSizes.interpreterType) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}
