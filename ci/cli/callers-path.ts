/** Paths on the command line are meant from where the user stands: npm starts us in the folder of the project, and says where it
 *  was called. */
import { resolve } from 'node:path';

export function callersFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env['INIT_CWD'] || process.cwd();
}

export function callersPath(path: string, env: NodeJS.ProcessEnv = process.env): string {
  return resolve(callersFolder(env), path);
}
