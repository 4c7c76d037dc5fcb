/** The patched tree of a kernel line: hard links to the pristine source, except for files that patches touch.
 *  Those are rewritten only when their content changes, so that make rebuilds no more than a patch's edit asks for. */
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { contentKey, exists, readJson } from '../cache/folder.js';
import { writeFileAtomic } from '../cache/temporary.js';
import { ConfigError, PatchError } from '../errors.js';
import { temporaryFolder } from '../proc/cleanup.js';
import { attempt, exec } from '../proc/exec.js';
import { parseApplyFailure, touchedFiles } from './patch-text.js';
import type { PristineSource } from './source.js';

export interface Patch {
  readonly path: string;
  readonly text: string;
}

const LINK_TIMEOUT_MS = 600_000;
const APPLY_TIMEOUT_MS = 60_000;

/** What only our guests need, and no reviewer of the series does: a folder beside the series, applied after it. */
const GUEST_FOLDER = 'guest';

/** The series in the order of its file names, all that ends in .patch, then guest/. An empty folder is a kernel as it came. */
export async function readPatches(dir: string): Promise<Patch[]> {
  const guestDir = join(dir, GUEST_FOLDER);
  return [...await patchesIn(dir), ...await exists(guestDir) ? await patchesIn(guestDir) : []];
}

async function patchesIn(dir: string): Promise<Patch[]> {
  const all = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError(dir, 1, 'a folder with the patches of a kernel line', error.code ?? String(error));
  });
  const names = all.filter((name) => name.endsWith('.patch')).sort();
  return Promise.all(names.map((name) => readPatch(join(dir, name))));
}

export async function readPatch(path: string): Promise<Patch> {
  return { path, text: await readFile(path, 'utf8') };
}

export function patchesKey(patches: readonly Patch[]): string {
  return contentKey(...patches.flatMap(({ path, text }) => [basename(path), text]));
}

/** Makes `tree` the pristine source plus the patches. The caller holds the line's lock. */
export async function syncTree(source: PristineSource, patches: readonly Patch[], tree: string): Promise<void> {
  const patched = await applyPatches(source, patches);
  // Which files differ from pristine, from the last time; a tree without this record is not trusted.
  const recordPath = `${tree}.patched.json`;
  const record = await readJson<{ source: string; files: string[] }>(recordPath);
  if (!record || record.source !== source.id || !await exists(tree)) {
    await rm(recordPath, { force: true });
    await rm(tree, { recursive: true, force: true });
    await mkdir(dirname(tree), { recursive: true });
    await exec(['cp', '-al', source.dir, tree], { phase: 'kernel patch', timeoutMs: LINK_TIMEOUT_MS });
  }
  const files = [...new Set([...(record?.source === source.id ? record.files : []), ...patched.keys()])];
  // Written before the files are: after an interruption each of them is looked at again.
  await writeFileAtomic(recordPath, JSON.stringify({ source: source.id, files }));
  for (const file of files) {
    const content = patched.has(file) ? patched.get(file) : await readFile(join(source.dir, file)).catch(() => undefined);
    await replaceFile(join(tree, file), content ?? undefined);
  }
}

/** Applies the series to copies of the touched files. The value is null for a file that a patch removes. */
export async function applyPatches(source: PristineSource, patches: readonly Patch[]): Promise<Map<string, Buffer | null>> {
  const work = temporaryFolder('patch');
  const files = [...new Set(patches.flatMap(({ text }) => touchedFiles(text)))];
  try {
    for (const file of files) {
      await mkdir(dirname(join(work, file)), { recursive: true });
      await copyFile(join(source.dir, file), join(work, file)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
    for (const { path, text } of patches) {
      // The ceiling keeps git from taking a repository around the temporary folder for the target.
      const result = await attempt(['git', 'apply', '--whitespace=nowarn', '-'], {
        phase: 'kernel patch', timeoutMs: APPLY_TIMEOUT_MS, cwd: work, input: text,
        env: { GIT_CEILING_DIRECTORIES: dirname(work) },
      });
      if (result.exitCode !== 0) {
        const { file, hunkLine } = parseApplyFailure(result.output);
        throw new PatchError(basename(path), file, hunkLine, result.output.trim());
      }
    }
    const contents = files.map(async (file) => [file, await readFile(join(work, file)).catch(() => null)] as const);
    return new Map(await Promise.all(contents));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Gives a file new content under a new inode: the old one is shared with the pristine source. */
async function replaceFile(path: string, content: Buffer | undefined): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (content === undefined) {
    if (present) await rm(path);
  } else if (!present?.equals(content)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, content);
  }
}
