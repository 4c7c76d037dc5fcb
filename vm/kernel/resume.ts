/** After a build that was killed outright: finds objects that may be half written. kbuild writes an object first and
 *  its .cmd file last, so an object without one, or with an older one, cannot be trusted and is made again. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export async function removeUnfinishedObjects(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const names = new Set(entries.map((entry) => entry.name));
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await removeUnfinishedObjects(path);
    else if (/\.(?:o|a|ko)$/.test(entry.name) && !await isFinished(dir, entry.name, names)) await rm(path, { force: true });
  }
}

/** Objects that an interrupted build has finished; the kernel's own helper programs are left out, as make() does. */
export async function countObjects(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  let count = entries.filter((entry) => entry.name.endsWith('.o.cmd')).length;
  for (const entry of entries) {
    if (entry.isDirectory() && !/^(?:scripts|tools)$/.test(entry.name)) count += await countObjects(join(dir, entry.name));
  }
  return count;
}

async function isFinished(dir: string, name: string, names: ReadonlySet<string>): Promise<boolean> {
  const command = `.${name}.cmd`;
  if (!names.has(command)) return false;
  const [object, record] = await Promise.all([stat(join(dir, name)), stat(join(dir, command))]);
  return record.mtimeMs >= object.mtimeMs;
}
