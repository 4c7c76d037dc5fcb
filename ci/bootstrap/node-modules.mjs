/** Brings node_modules up to the lock file: compares what npm recorded there with what the lock file wants,
 *  and runs `npm ci` only where they differ. A second run at the same time waits for the first. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @param {URL} root folder of package.json, ending in a slash */
export async function ensureNodeModules(root) {
  const reason = whyOutOfDate(root);
  if (reason === undefined) return;
  process.stderr.write(`npm packages: ${reason}; running npm ci\n`);
  const startedMs = Date.now();
  // flock(1) holds the folder for as long as the child lives, so no lock outlives a crash.
  const child = [process.execPath, fileURLToPath(import.meta.url), fileURLToPath(root)];
  const locked = existsSync('/usr/bin/flock') ? ['flock', fileURLToPath(new URL('./', import.meta.url)), ...child] : child;
  await run(locked, root);
  process.stderr.write(`npm packages: installed in ${Math.round((Date.now() - startedMs) / 1000)} s\n`);
}

/** Undefined when every package is there as the lock file wants it, else the first difference in words.
 *  @param {URL} root @returns {string | undefined} */
export function whyOutOfDate(root) {
  const wanted = packagesOf(new URL('package-lock.json', root));
  const found = packagesOf(new URL('node_modules/.package-lock.json', root));
  if (wanted === undefined) return 'package-lock.json cannot be read';
  if (found === undefined) return 'not installed yet';
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || (entry.optional && found[path] === undefined)) continue;
    if (found[path]?.version !== entry.version) return `${path} is not at ${entry.version}`;
  }
  const extra = Object.keys(found).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra} is not in the lock file`;
}

/** @param {URL} lockFile @returns {Record<string, {version: string, optional?: boolean}> | undefined} */
function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** @param {string[]} argv @param {URL} cwd @returns {Promise<void>} */
function run(argv, cwd) {
  return new Promise((resolve, reject) => {
    const [command = '', ...args] = argv;
    // npm's own chatter goes to stderr, so that --json and --list keep stdout for themselves.
    const child = spawn(command, args, { cwd, stdio: ['ignore', 2, 2] });
    child.on('error', (error) => reject(new Error(`cannot start ${command}: ${error.message}`)));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`installing the npm packages failed (${signal ?? `exit ${code}`}). Next step: npm ci`));
    });
  });
}

// As the child under the lock: look again, since the run that held it before may have done the work.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = new URL(`file://${process.argv[2]}`);
  if (whyOutOfDate(root) !== undefined) await run(['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error'], root);
}
