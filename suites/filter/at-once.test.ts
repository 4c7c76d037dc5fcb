/** Of two calls that want the same of one device at the same time one is served, and the other is told what it finds then.
 *  Method: freezing the file system waits for a write that a programmable disk holds, so that both have looked before one has acted. */
import { expect, moduleReferences, mountExt4, steeredLab, test, untilStill, type Device } from '../fixtures/index.js';

const calls: readonly { readonly what: string; readonly call: (device: Device) => Promise<void>; readonly late: string; readonly left: string }[] = [
  { what: 'attach', call: (device) => device.attach(), late: 'EALREADY', left: 'blksnap\n' },
  { what: 'detach', call: (device) => device.detach(), late: 'ENOENT', left: '\n' },
];

for (const { what, call, late, left } of calls) {
  test(`of two that ${what} at once one does, the other gets ${late}, and the file system goes on`, { meta: { spec: ['FLT-03', 'FLT-02'] } }, async ({ lab }) => {
    const l = await steeredLab(lab);
    const [data, disk] = [l.disk('data'), l.programmable('data')];
    await mountExt4(l, data, '/mnt/data', ['-E', 'lazy_itable_init=0'], '16M');
    if (what === 'detach') await l.attach(data);
    else l.defer(() => data.detach());
    await l.sh('sync; echo one > /mnt/data/file');

    const hold = disk.hold({ kind: 'write' });
    const both = Promise.all([1, 2].map(() => call(data).then(() => 'done', (error: { errno?: string }) => error.errno)));
    await hold.next();
    await untilStill(l, 'blksnapctl', both);
    hold.close();
    hold.release();

    expect((await both).sort()).toEqual([late, 'done']);
    expect(await data.sysfsFilter()).toBe(left);
    expect(await moduleReferences(l)).toBe(left === '\n' ? 0 : 1);
    await l.sh('timeout 30 sh -c "echo two > /mnt/data/file; sync -f /mnt/data/file"');
  });
}
