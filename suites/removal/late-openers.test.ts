/** Who was about to open an image when it was destroyed still has its disk for a moment: the module goes after that, and not before.
 *  Method: a held read of the device keeps its rescan, and so the first who opens the image; destroy waits for that one, and others wait
 *  behind destroy. Of these none gets a CPU before the module is told to go. */
import { expect, freezeSteered, limit, NeverSleptError, startBlocked, test, untilStill } from '../fixtures/index.js';

const OPENERS = 4;
/** A mask, as taskset has it. */
const SECOND_CPU = '2';
const open = ['/bin/sh', '-c', 'true < "$1"', 'sh'];

test('the module goes once those are through who were about to open an image that is gone', { timeout: limit(120_000), meta: { spec: ['SNP-07', 'IMG-04'] } }, async ({ lab, skip }) => {
  const { l, data, disk, image, snapshot } = await freezeSteered(lab);
  await l.sh('blockdev --flushbufs "$1"', data.path);
  const hold = disk.hold({ kind: 'read', sector: 0, sectors: 8 });
  const rescan = await startBlocked(l, ['blockdev', '--rereadpt', data.path], { sleepsIn: 'blkdev_ioctl' });
  const first = await startBlocked(l, [...open, image.path], { sleepsIn: 'blkdev_open' }).catch((error: unknown) => {
    if (error instanceof NeverSleptError) return undefined;
    throw error;
  });
  if (first === undefined) {
    hold.release();
    return skip('who opens an image of this module does not wait for its device');
  }
  const destroyed = snapshot.destroy();
  await untilStill(l, 'blksnapctl', destroyed);
  const late = [];
  for (let nr = 0; nr < OPENERS; nr++) late.push(await startBlocked(l, ['taskset', SECOND_CPU, ...open, image.path], { sleepsIn: 'blkdev_open' }));
  const busy = l.guest.start(['taskset', SECOND_CPU, '/bin/sh', '-c', 'renice -n -20 -p $$; while :; do :; done & while :; do :; done'], { timeoutMs: limit(60_000) });
  await l.sh('renice -n 19 -p "$@"', ...late.map(({ pid }) => pid));

  hold.release();
  await Promise.all([rescan.end, first.end, destroyed]);
  await data.detach();
  const unloaded = l.unloadModule();
  await untilStill(l, 'rmmod', unloaded);
  await busy.kill(9);
  await Promise.all(late.map(({ end }) => end));
  await unloaded;
  await l.loadModule();
  await expect(data.attach()).resolves.toBeUndefined();
});
