/** Guests and the fault kit, without blksnap: dd writes to a disk, each of its writes fails once, and dd must say so.
 *
 *      npx tsx vm/example.ts                   the first line of kernel-patches/lines.yaml
 *      npx tsx vm/example.ts my/lines.yaml     a kernel of your own: config/ and the series lie beside that file */
import { fileURLToPath } from 'node:url';
import { bootGuest, ensureKernel, failNth, FaultLog, readLines, type KernelBuild } from './index.js';

const MIB = 1024 * 1024;

/** Returns what was hit, and what came of it. Throws when dd called a failed write a success. */
export async function failEachWrite(kernel: KernelBuild): Promise<FaultLog['points']> {
  const log = new FaultLog();
  const guest = await bootGuest(kernel, { disks: [{ name: 'data', sizeBytes: 16 * MIB, programmable: true }] });
  try {
    const disk = guest.programmable('data');
    const write = ['dd', 'if=/dev/zero', `of=${guest.disk('data').devPath}`, 'bs=64k', 'count=4', 'oflag=direct'];
    for (let nth = 1; ; nth++) {
      const fault = failNth(disk, { kind: 'write' }, nth, 'EIO');
      const { exitCode } = await guest.attempt(write);
      fault.end();
      // It made fewer writes than that: all have failed once.
      if (fault.hit === '') break;
      if (exitCode === 0) throw new Error(`write ${nth} failed, and dd did not say so`);
      log.record({ kind: 'io', operation: 'dd', point: `write ${nth}`, hit: fault.hit, verdict: `exit code ${exitCode}` });
    }
  } finally {
    await guest.close();
  }
  return log.points;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [line] = await readLines(...process.argv.slice(2, 3));
  if (line === undefined) throw new Error('no kernel line');
  const kernel = await ensureKernel(line, 'fast', { progress: ({ what }) => process.stderr.write(`${what}\n`) });
  for (const { point, hit, verdict } of await failEachWrite(kernel)) process.stdout.write(`${point}  ${hit}  ${verdict}\n`);
}
