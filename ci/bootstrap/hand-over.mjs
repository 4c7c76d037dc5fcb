/** From a bare Node to TypeScript: plain JavaScript without dependencies, so that it runs before `npm ci`. */
import { readFileSync } from 'node:fs';
import { ensureNodeModules } from './node-modules.mjs';

const root = new URL('../../', import.meta.url);
const exitRigFailed = 3;

/** Loads a TypeScript entry in this process, so that a signal finds no process in between.
 *  @param {URL} entry */
export async function handOver(entry) {
  try {
    requireNode();
    await ensureNodeModules(root);
  } catch (error) {
    process.stderr.write(`rig: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(exitRigFailed);
  }
  // Its cache would stay in the temporary folder; what it saves is a tenth of a second.
  process.env['TSX_DISABLE_CACHE'] = '1';
  const { register } = await import('tsx/esm/api');
  process.setSourceMapsEnabled(true);
  register();
  await import(entry.href);
}

function requireNode() {
  const wanted = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).engines.node.replace('>=', '');
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new Error(`Node ${wanted} or newer is needed, this is ${process.versions.node}. Install it and run again.`);
}
