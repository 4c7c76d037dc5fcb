/** Asks virtme-run how it would start a machine on this host's root. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HarnessError } from '../../errors.js';
import { attempt } from '../../proc/exec.js';
import type { FullMachineSpec } from '../spec.js';
import { splitShellWords, virtmeArgv, writableFolders } from './argv.js';
import type { Virtme } from './package.js';

const TIMEOUT_MS = 60_000;

/** QEMU's command line as virtme-run would have it. `dir` takes two small files. */
export async function virtmeLayout(virtme: Virtme, kernelImage: string, spec: FullMachineSpec, dir: string): Promise<string[]> {
  const top = (await readdir('/', { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const argv = [...virtme.argv, ...virtmeArgv({ kernelImage, spec, writable: writableFolders(top) })];
  const [out, err] = [join(dir, 'virtme.out'), join(dir, 'virtme.err')];
  // It opens its standard streams by name, which sockets, and so our pipes, do not let it.
  const script = 'out=$1 err=$2; shift 2; exec "$@" < /dev/null > "$out" 2> "$err"';
  const { exitCode } = await attempt(['/bin/sh', '-c', script, 'sh', out, err, ...argv], {
    phase: 'virtme-ng', timeoutMs: TIMEOUT_MS, env: virtme.env,
  });
  await Promise.all([out, err].map((path) => writeFile(path, '', { flag: 'a' })));
  const line = (await readFile(out, 'utf8')).split('\n').find((text) => text.includes(' -append '));
  if (exitCode !== 0 || line === undefined) {
    const lastLines = (await readFile(err, 'utf8')).trim().split('\n').slice(-5).join('\n');
    throw new HarnessError(`virtme-run ended with status ${exitCode}: ${lastLines}`, {
      code: 'EVIRTME', blame: 'rig', phase: 'virtme-ng', nextStep: 'virtme-ng 1.35 is known to work.',
    });
  }
  return splitShellWords(line);
}
