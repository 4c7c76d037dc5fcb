/** A take that fails because the device does leaves no file system frozen, whichever of its writes it was.
 *  Method: of what freezing writes, each of the last requests fails in turn: the file system may be frozen by then, and the freeze
 *  fails nevertheless. The rest is in suites/faults/io.ts. */
import { expect, failNth, limit, steeredLab, test } from '../fixtures/index.js';

const DIR = '/mnt/data';
/** The journal's end, the superblock and what is written when it is thawed. */
const LAST = 8;

test('a take in which one of the last writes of freezing fails leaves the file system running', {
  timeout: limit(180_000), meta: { spec: ['SNP-08'] },
}, async ({ lab, faults }) => {
  const l = await steeredLab(lab);
  const data = l.disk('data');
  await l.attach(data);
  l.defer(() => l.sh('umount "$1" 2>/dev/null || true', DIR));
  const takeWithFault = async (nth: number): Promise<{ hit: string; seen: number; answer: string }> => {
    await l.sh('mkdir -p "$2"; mkfs.ext4 -q -F "$1" 24M; mount "$1" "$2"; sync -f "$2"; echo data > "$2/file"', data.path, DIR);
    const snapshot = await l.createSnapshot();
    await snapshot.add(data);
    const fault = failNth(l.programmable('data'), { kind: ['write', 'flush'] }, nth, 'EIO');
    const answer = await snapshot.take().then(() => 'success', ({ errno }: { errno: string }) => errno);
    fault.end();
    // Who writes to a file system that is frozen waits until somebody thaws it.
    await l.guest.attempt(['/bin/sh', '-c', `echo more > ${DIR}/more; sync -f ${DIR}`]);
    await l.sh('umount "$1"', DIR);
    if (answer !== 'success') await snapshot.take();
    await snapshot.destroy();
    return { hit: fault.hit, seen: fault.seen, answer };
  };
  const { seen, answer: good } = await takeWithFault(Infinity);
  expect(good).toBe('success');
  let fired = 0;
  for (let back = 0; back < LAST; back++) {
    const { hit, answer } = await takeWithFault(seen - back);
    // How often its superblock is written is up to the file system's own threads: the last ones may not come.
    if (hit === '') continue;
    fired += 1;
    expect(['EIO', 'success']).toContain(answer);
    faults.record({ kind: 'io', operation: 'take', point: `last request but ${back}`, hit, verdict: `${answer}, the file system runs, and the next take succeeds` });
  }
  expect(fired, 'faults that hit something').toBeGreaterThanOrEqual(LAST / 2);
});
