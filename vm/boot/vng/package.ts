/** Finds virtme-ng: the installed one, else its Debian package, unpacked into the cache and run from there.
 *
 *  We call virtme-run, the part of virtme-ng that lays out the machine. It needs nothing beside Python's own library,
 *  so one package is enough. Where the machine's distribution does not have it, a newer suite of the same has. */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { candidate, otherSuite, ownDistribution, unpackPackage, type AptSource } from '../../cache/apt.js';
import { cacheRoom, exists } from '../../cache/folder.js';
import { withLock, type LockOptions } from '../../cache/lock.js';
import { withTemporary } from '../../cache/temporary.js';
import { HarnessError, MissingToolError } from '../../errors.js';
import { findProgram } from '../../proc/find.js';
import { errorText } from '../../units.js';

export interface Virtme {
  /** What to run instead of "virtme-run". */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const PACKAGE = 'virtme-ng';
/** Names that stay right as suites come and go: Debian's, then Ubuntu's. */
const NEWER_SUITES: readonly string[] = ['stable', 'testing', 'devel'];
const PYTHON_PATH = 'usr/lib/python3/dist-packages';
const RUN = 'import sys; from virtme.commands.run import main; sys.exit(main())';

/** Rejects with VirtmeMissingError when it is neither installed nor to be had. */
export async function findVirtme(options: LockOptions = {}): Promise<Virtme> {
  const installed = await findProgram('virtme-run');
  if (installed) return { argv: [installed], env: {} };
  const python = await findProgram('python3');
  if (!python) throw new MissingToolError('python3', 'virtme-ng');
  const dir = await unpacked() ?? await withLock(PACKAGE, options, async () => await unpacked() ?? fetchVirtme(options));
  return { argv: [python, '-c', RUN], env: { PYTHONPATH: join(dir, PYTHON_PATH), PYTHONDONTWRITEBYTECODE: '1' } };
}

/** virtme-ng is not here, and this is no machine where we may fetch it by ourselves. */
export class VirtmeMissingError extends HarnessError {
  constructor(why: string, cause?: unknown) {
    super(`virtme-ng is not installed and cannot be fetched: ${why}`, {
      code: 'EVIRTME_MISSING', blame: 'rig', phase: 'virtme-ng', cause,
      nextStep: 'Install virtme-ng with the tools of your distribution or with pip, so that virtme-run is found in PATH.',
    });
  }
}

async function unpacked(): Promise<string | undefined> {
  const room = await cacheRoom('tools');
  const name = (await readdir(room)).filter((entry) => entry.startsWith(`${PACKAGE}_`) && !entry.includes('.tmp-')).sort().at(-1);
  return name === undefined ? undefined : join(room, name);
}

async function fetchVirtme(options: LockOptions): Promise<string> {
  if (!await findProgram('apt-get') || !await findProgram('dpkg-deb')) throw new VirtmeMissingError('there is no apt here');
  let lastError: unknown;
  for (const find of [ownDistribution, ...NEWER_SUITES.map((suite) => () => otherSuite(suite))]) {
    try {
      const source = await find();
      const version = source && await candidate(PACKAGE, source, options);
      if (source && version) return await unpack(version, source, options);
    } catch (error) {
      lastError = error;
    }
  }
  throw new VirtmeMissingError(lastError ? errorText(lastError) : 'no suite of this distribution has it', lastError);
}

async function unpack(version: string, source: AptSource, options: LockOptions): Promise<string> {
  options.progress?.({ what: `fetching ${PACKAGE} ${version}` });
  const dir = join(await cacheRoom('tools'), `${PACKAGE}_${version.replaceAll(/[^\w.+~-]/g, '_')}`);
  return withTemporary(dir, async (work) => {
    await mkdir(work);
    const root = await unpackPackage(PACKAGE, version, source, work);
    if (!await exists(join(root, PYTHON_PATH, 'virtme/commands/run.py'))) {
      throw new Error(`package ${PACKAGE} ${version} holds no virtme-run`);
    }
    await rename(root, dir);
    return dir;
  });
}
