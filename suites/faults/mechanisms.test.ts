/** Old data that the kernel's own fault injection keeps from being read or stored: COW-06, whoever is to blame.
 *  Method: the original, or the storage, is a device of each mechanism; it is broken during the hold, and mended after. */
import { aio, CHUNK, expect, limit, numbersOf, test, type Device } from '../fixtures/index.js';
import { disks, mechanisms } from './mechanisms.js';

const SECTOR = 512;

for (const { name, make } of mechanisms) {
  test(`${name}: old data that cannot be read costs the snapshot alone`, { timeout: limit(90_000), meta: { spec: ['COW-06', 'EVT-02'] } }, async ({ lab, faults }) => {
    const l = await lab({ disks });
    const broken = await make(l);
    const { device } = broken;
    await device.fill(1);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device, { storage: l.disk('store').path });
    const image = await snapshot.image(device);
    const at = Math.floor(broken.bad * SECTOR / CHUNK) * CHUNK;

    const hit = await broken.break('read');
    expect(await aio(device, [{ offset: at, length: 4096 }])).toEqual([4096]);
    expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, device) });
    await broken.mend();

    await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
    await expect(image.read(at, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    const { error_name: error } = await device.snapshotInfo();
    await snapshot.destroy();
    expect(await device.read(at, 4096)).toEqual(Buffer.alloc(4096, 0xee));
    const next = await l.takeSnapshot(device, { storage: l.disk('store').path });
    expect(await (await next.image(device)).read(at, 4096)).toEqual(Buffer.alloc(4096, 0xee));
    faults.record({ kind: 'io', operation: 'first copy', point: name, hit, verdict: `lost by ${error}, the next is right` });
  });
}

for (const { name, make } of mechanisms.filter(({ fails }) => fails.includes('write'))) {
  test(`${name}: old data that cannot be stored costs the snapshot alone`, { timeout: limit(90_000), meta: { spec: ['COW-06', 'EVT-02'] } }, async ({ lab, faults }) => {
    const l = await lab({ disks });
    const broken = await make(l);
    const data: Device = l.disk('data');
    await data.fill(1);
    await l.attach(data);
    const snapshot = await l.takeSnapshot(data, { storage: broken.device.path });
    const image = await snapshot.image(data);
    const length = 6 * CHUNK;

    const hit = await broken.break('write');
    expect(await aio(data, [{ offset: 0, length }])).toEqual([length]);
    await l.sh('sync');
    expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, data) });
    await broken.mend();

    await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
    for (const offset of [0, length]) await expect(image.read(offset, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    const { error_name: error } = await data.snapshotInfo();
    await snapshot.destroy();
    expect((await data.read(0, length)).equals(Buffer.alloc(length, 0xee))).toBe(true);
    const next = await l.takeSnapshot(data, { storage: broken.device.path });
    expect(await (await next.image(data)).read(0, 4096)).toEqual(Buffer.alloc(4096, 0xee));
    faults.record({ kind: 'io', operation: 'store', point: name, hit, verdict: `lost by ${error}, the next is right` });
  });
}
