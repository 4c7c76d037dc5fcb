/** A device that goes lets its filter be detached exactly once, with no call in it any more and nothing kept of it.
 *  Method: a probe counts; it complains to the kernel log when it is called after or during its detaching. */
import { attachProbe, eventually, expect, loadProbe, probeTotals, startLoad, test } from '../fixtures/index.js';
import { disks, ways } from './ways.js';

for (const { what, make } of ways) {
  test(`the filter is detached once and let go when ${what} under load, and the one beside it stays`, { meta: { spec: ['FLT-10', 'FLT-09'] } }, async ({ lab, random }) => {
    const l = await lab({ disks });
    await loadProbe(l);
    const { device, other, where, remove } = await make(l);
    const probe = await attachProbe(l, device);
    const beside = await attachProbe(l, other, 'probe2');
    await probe.set('read', { kinds: ['write'], hook: true });
    const writing = startLoad(l.guest, { rw: 'randwrite', bs: '4k-64k', blockalign: '4k', iodepth: 4, ...where, randseed: random.below(1e9) });
    await writing.started;

    await remove();
    await writing.abandon();
    await eventually('the end of the filter', () => probeTotals(l), ({ released }) => released === 1);

    expect(await probeTotals(l)).toEqual({ attached: 2, detached: 1, released: 1 });
    expect(await l.sh('cat /sys/module/blkprobe/refcnt')).toBe('1');
    const { write } = await beside.counts();
    await other.write(0, new Uint8Array(4096));
    expect((await beside.counts()).write).toBe(write + 1);
    await other.detach('probe2');
    expect(await probeTotals(l)).toEqual({ attached: 2, detached: 2, released: 2 });
    await l.sh('rmmod blkprobe');
  });
}
