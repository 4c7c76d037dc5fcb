/** Finds programs on the host. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Full path of a program, looked for in the system's folders also when PATH of a plain user lacks them. A full path is
 *  given back when there is a program. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...new Set([...(process.env['PATH'] ?? '').split(':').filter(Boolean), ...FOLDERS])];
  for (const path of isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name))) {
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return undefined;
}
