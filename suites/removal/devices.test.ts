/** A device that goes takes its filter with it, once, whatever it is and whatever is done to it at that time.
 *  Method: every way to go, idle, under load and during a hold, alone and beside another device of the snapshot. */
import { expect, moduleReferences, numbersOf, startLoad, test, type FioOptions, type Lab } from '../fixtures/index.js';
import { disks, lostFilter, ways } from './ways.js';

const load: FioOptions = { rw: 'randwrite', bs: '4k-64k', blockalign: '4k', iodepth: 4 };

/** A node at the old place is a new device, which nothing was inherited by. */
async function isFresh(l: Lab, device: Awaited<ReturnType<Lab['disk']>>): Promise<void> {
  expect(await device.sysfsFilter()).toBe('\n');
  await expect(device.cbtInfo()).rejects.toMatchObject({ errno: 'ENOENT' });
  await device.attach();
  expect((await device.cbtMap()).every((mark) => mark === 0)).toBe(true);
  await device.detach();
  expect(await moduleReferences(l)).toBe(0);
}

for (const { what, make } of ways) {
  test(`the filter goes when ${what}`, { meta: { spec: ['FLT-10', 'SNP-07', 'CBT-12'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const { device, remove, remake } = await make(l);
    await l.attach(device);
    await device.write(0, new Uint8Array(4096).fill(1));
    expect(await moduleReferences(l)).toBe(1);

    await remove();
    await lostFilter(l, device, 0);

    if (remake) await isFresh(l, await remake());
  });

  test(`the filter goes under load when ${what}`, { meta: { spec: ['FLT-10', 'FLT-09', 'SNP-07'] } }, async ({ lab, random }) => {
    const l = await lab({ disks });
    const { device, other, where, remove, remake } = await make(l);
    await l.attach(device, other);
    const writing = startLoad(l.guest, { ...load, ...where, randseed: random.below(1e9) });
    await writing.started;

    await remove();
    await writing.abandon();
    await lostFilter(l, device, 1);

    expect(await other.sysfsFilter()).toBe('blksnap\n');
    await other.write(0, new Uint8Array(4096).fill(1));
    await other.detach();
    if (remake) await isFresh(l, await remake());
  });

  test(`the image fails, and can be destroyed, when ${what} during the hold`, { meta: { spec: ['SNP-05', 'FLT-10', 'EVT-02', 'SNP-07'] } }, async ({ lab, random }) => {
    const l = await lab({ disks });
    const { device, where, remove } = await make(l);
    const numbers = await numbersOf(l, device);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device);
    const image = await snapshot.image(device);
    const writing = startLoad(l.guest, { ...load, ...where, randseed: random.below(1e9) });
    await writing.started;
    await writing.stop();
    await image.read(0, 4096);
    expect(await moduleReferences(l)).toBe(2);

    await remove();
    await lostFilter(l, device, 1);

    expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...numbers, error_name: 'ENODEV' });
    await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
    await expect(image.sectors()).rejects.toMatchObject({ errno: 'EIO' });
    await snapshot.destroy();
    expect(await l.sh('ls /dev | grep blksnap-image || true')).toBe('');
    expect(await moduleReferences(l)).toBe(0);
  });

  test(`the other image stays right when ${what} while both are written`, { meta: { spec: ['SNP-05', 'FLT-10', 'COW-01', 'EVT-02'] } }, async ({ lab, random }) => {
    const l = await lab({ disks });
    const { device, other, where, whereOther, remove } = await make(l);
    const numbers = await numbersOf(l, device);
    await other.fill(1, { length: 7 * 1024 * 1024 });
    await l.attach(device, other);
    const snapshot = await l.takeSnapshot([device, other]);
    const [image, otherImage] = [await snapshot.image(device), await snapshot.image(other)];
    const frozen = await other.sectors();
    const writing = startLoad(l.guest, { ...load, ...where, randseed: random.below(1e9) });
    const otherWriting = startLoad(l.guest, { ...load, ...whereOther, randseed: random.below(1e9) });
    await Promise.all([writing.started, otherWriting.started]);

    await remove();
    await writing.abandon();
    await lostFilter(l, device, 2);

    // A copy that was under way when the driver stopped has its error, which then came first.
    const event = await snapshot.waitEvent();
    expect(event).toMatchObject({ event: 'corrupted', ...numbers });
    expect(['ENODEV', 'EIO']).toContain(event.error_name);
    await expect(image.read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    expect((await otherWriting.stop()).writes).toBeGreaterThan(0);
    expect((await other.sectors()).sums).not.toEqual(frozen.sums);
    await expect(await otherImage.sectors()).toHoldSectorsOf(frozen);
    expect(await other.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
    await snapshot.destroy();
    expect(await moduleReferences(l)).toBe(1);
  });
}
