/** The guest's root: one read-only ext4 image with busybox, our tools, the file-system and device tools of the
 *  host with their libraries, and the kernel's modules. Cached by content. */
import { chmod, copyFile, mkdir, readFile, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CheckpointOptions, RootImage } from '../boot/checkpoint.js';
import { cacheRoom, contentKey, exists } from '../cache/folder.js';
import { withLock } from '../cache/lock.js';
import { prune, touch } from '../cache/prune.js';
import { makeEntry } from '../cache/temporary.js';
import { MissingToolError } from '../errors.js';
import { buildTools } from '../kernel/tool.js';
import type { KernelBuild } from '../kernel/types.js';
import { temporaryFolder } from '../proc/cleanup.js';
import { exec } from '../proc/exec.js';
import { findProgram } from '../proc/find.js';
import { MIB } from '../units.js';
import { FILES, FOLDERS, HOST_PROGRAMS, IMAGE_SLACK_BYTES, LINKS, REQUIRED_PROGRAMS, SHELLS } from './contents.js';
import { librariesOf, type Library } from './libraries.js';
import { STUBBED_LIBRARIES, stubLibraries } from './stubs.js';

/** One file of the image: where from, where to. */
interface Item {
  readonly from: string;
  readonly to: string;
}

/** About 25 MB each. */
const IMAGES_KEPT = 16;
const MKE2FS_TIMEOUT_MS = 120_000;
/** Part of the key: raised when the same files make another image. */
const RECIPE = 2;
const memory = new Map<string, Promise<RootImage>>();

/** The root image for this kernel, built now if it is missing. */
export function ensureRoot(kernel: KernelBuild, options: CheckpointOptions = {}): Promise<RootImage> {
  let root = memory.get(kernel.key);
  if (!root) {
    root = makeRoot(kernel, options);
    memory.set(kernel.key, root);
    root.catch(() => memory.delete(kernel.key));
  }
  return root;
}

async function makeRoot(kernel: KernelBuild, options: CheckpointOptions): Promise<RootImage> {
  const items = await collect(kernel, options);
  const contents = await Promise.all(items.map(async ({ from, to }) => contentKey(to, await readFile(from))));
  const key = contentKey(String(RECIPE), contents.sort().join(' '), JSON.stringify([FOLDERS, FILES, LINKS]), kernel.release);
  const imagePath = join(await cacheRoom('roots'), `${key}.ext4`);
  if (await exists(imagePath)) {
    await touch(imagePath);
    return { imagePath, key };
  }
  return withLock(`root-${key}`, options, async () => {
    if (!await exists(imagePath)) {
      options.progress?.({ what: 'building the guest root' });
      await prune(await cacheRoom('roots'), IMAGES_KEPT);
      await makeEntry(imagePath, (unfinished) => writeImage(items, unfinished));
    }
    return { imagePath, key };
  });
}

async function collect(kernel: KernelBuild, options: CheckpointOptions): Promise<Item[]> {
  const tools = await buildTools(options);
  const busybox = await findProgram('busybox');
  if (!busybox) throw new MissingToolError('busybox', 'guest root');
  const items: Item[] = [{ from: busybox, to: 'bin/busybox' }];
  for (const name of tools.names) {
    items.push({ from: join(tools.dir, name), to: name === 'agent' ? 'sbin/agent' : `usr/bin/${name}` });
  }
  const libraries = new Map<string, string>();
  const shell = (await Promise.all(SHELLS.map((name) => findProgram(name)))).find(Boolean);
  if (!shell) throw new MissingToolError('dash', 'guest root');
  items.push({ from: shell, to: 'bin/sh' });
  for (const library of await librariesOf(shell)) libraries.set(library.path, library.realPath);
  const programs = await Promise.all(HOST_PROGRAMS.map(async (name) => {
    const path = await findProgram(name);
    if (!path && REQUIRED_PROGRAMS.includes(name)) throw new MissingToolError(name, 'guest root');
    return path ? { name, path, needs: await slimLibraries(name, path) } : undefined;
  }));
  for (const program of programs) {
    if (!program) continue;
    items.push({ from: program.path, to: `usr/bin/${program.name}` });
    for (const library of program.needs) libraries.set(library.path, library.realPath);
  }
  for (const [path, realPath] of libraries) items.push({ from: realPath, to: path.slice(1) });
  for (const file of (await readdir(kernel.modulesDir).catch(() => [])).filter((entry) => entry.endsWith('.ko'))) {
    items.push({ from: join(kernel.modulesDir, file), to: `lib/modules/${kernel.release}/${file}` });
  }
  return items;
}

/** Libraries of a program; for fio, with stand-ins for those that no guest uses. */
async function slimLibraries(name: string, path: string): Promise<Library[]> {
  const all = await librariesOf(path);
  if (name !== 'fio' || !all.some((library) => STUBBED_LIBRARIES.includes(basename(library.path)))) return all;
  const stubs = await stubLibraries(path, new Map(all.map((library) => [basename(library.path), library.realPath])));
  // The loader searches the folder of libc, so that is where the stand-ins go in the guest.
  const folder = dirname(all.find((library) => basename(library.path) === 'libc.so.6')?.path ?? '/lib/libc.so.6');
  return (await librariesOf(path, stubs)).map((library) => (
    dirname(library.path) === stubs ? { path: join(folder, basename(library.path)), realPath: library.realPath } : library));
}

async function writeImage(items: readonly Item[], unfinished: string): Promise<void> {
  const staging = temporaryFolder('r');
  try {
    const bytes = await stage(items, staging);
    const sizeBytes = Math.ceil((bytes * 1.05 + IMAGE_SLACK_BYTES) / MIB) * MIB;
    await writeFile(unfinished, '');
    await truncate(unfinished, sizeBytes);
    const argv = [
      await findProgram('mke2fs') ?? 'mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-E', 'root_owner=0:0',
      '-L', 'root', '-d', staging, unfinished,
    ];
    await exec(argv, { phase: 'guest root', timeoutMs: MKE2FS_TIMEOUT_MS });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Lays the tree out; returns the bytes it takes. */
async function stage(items: readonly Item[], dir: string): Promise<number> {
  for (const folder of FOLDERS) await mkdir(join(dir, folder), { recursive: true });
  let bytes = 0;
  for (const { from, to } of items) {
    const path = join(dir, to);
    await mkdir(dirname(path), { recursive: true });
    await copyFile(from, path);
    await chmod(path, 0o755);
    bytes += (await stat(path)).size + 4096;
  }
  for (const [path, text] of Object.entries(FILES)) await writeFile(join(dir, path), text);
  for (const [path, target] of Object.entries(LINKS)) await symlink(target, join(dir, path));
  const { stdout } = await exec([join(dir, 'bin/busybox'), '--list'], { phase: 'guest root', timeoutMs: 20_000 });
  const taken = new Set(items.map(({ to }) => basename(to)));
  for (const applet of stdout.split('\n')) {
    if (applet && !taken.has(applet)) await symlink('/bin/busybox', join(dir, 'bin', applet));
  }
  // Whatever the umask here: guests run programs as nobody too.
  await exec(['chmod', '-R', 'u=rwX,go=rX', dir], { phase: 'guest root', timeoutMs: 20_000 });
  return bytes;
}
