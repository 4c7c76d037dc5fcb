/** Finds programs on the host. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Full path of a program, looked for in the system's folders also when PATH of a plain user lacks them. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...new Set([...(process.env['PATH'] ?? '').split(':').filter(Boolean), ...FOLDERS])];
  for (const folder of folders) {
    const path = join(folder, name);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return undefined;
}
