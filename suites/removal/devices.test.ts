/** A device that goes takes its filter with it, once, whatever it is and whatever is done to it at that time.
 *  Method: every way to go, idle, under load and during a hold, alone and beside another device of the snapshot. */
import { expect, imagesOf, moduleReferences, numbersOf, startLoad, test, type Device, type FioOptions, type Lab, type Snapshot } from '../fixtures/index.js';
import { disks, KEPT, letGo, lostFilter, ways } from './ways.js';

const load: FioOptions = { rw: 'randwrite', bs: '4k-64k', blockalign: '4k', iodepth: 4 };

/** A node at the old place is a new device, which nothing was inherited by. */
async function isFresh(l: Lab, device: Device): Promise<void> {
  expect(await device.sysfsFilter()).toBe('\n');
  await expect(device.cbtInfo()).rejects.toMatchObject({ errno: 'ENOENT' });
  await device.attach();
  expect((await device.cbtMap()).every((mark) => mark === 0)).toBe(true);
  await device.detach();
  expect(await moduleReferences(l)).toBe(0);
}

/** Of a device that goes its image fails, and it may be told of as corrupt, once. */
async function expectFailed(snapshot: Snapshot, image: Device, numbers: { major: number; minor: number }): Promise<void> {
  await expect(image.read(0, 4096)).rejects.toMatchObject({ name: 'ToolError' });
  await expect(image.sectors()).rejects.toMatchObject({ name: 'ToolError' });
  const event = await snapshot.waitEvent(50).catch((error: unknown) => error);
  if (event instanceof Error) {
    expect(event).toMatchObject({ errno: 'ENOENT' });
    return;
  }
  expect(event).toMatchObject({ event: 'corrupted', ...numbers });
  expect((event as { error: number }).error).not.toBe(0);
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
}

for (const { what, make } of ways) {
  test(`the filter goes when ${what}`, { meta: { spec: ['FLT-10', 'SNP-07', 'CBT-12'] } }, async ({ lab }) => {
    const l = await lab({ disks });
    const { device, remove, remake } = await make(l);
    await l.attach(device);
    await device.write(0, new Uint8Array(4096).fill(1));

    await remove();
    // Nobody else keeps the module.
    await lostFilter(l, device, 1);

    if (remake) await isFresh(l, await remake());
  });

  test(`the filter goes under load when ${what}`, { meta: { spec: ['FLT-10', 'FLT-09', 'SNP-07'] } }, async ({ lab, random }) => {
    const l = await lab({ disks });
    const { device, other, where, remove, remake } = await make(l);
    await l.attach(device, other);
    const writing = startLoad(l.guest, { ...load, ...where, randseed: random.below(1e9) });
    await writing.started;
    const references = await moduleReferences(l);

    await remove();
    await writing.abandon();
    await lostFilter(l, device, references);

    expect(await other.sysfsFilter()).toBe('blksnap\n');
    await other.write(0, new Uint8Array(4096).fill(1));
    await other.detach();
    if (remake) await isFresh(l, await remake());
  });

  test(`the image fails, and can be destroyed, when ${what} during the hold`, { meta: { spec: ['SNP-05', 'FLT-10', 'EVT-02', 'SNP-07'] } }, async ({ lab, random, skip }) => {
    const l = await lab({ disks });
    const target = await make(l);
    const { device, where } = target;
    const numbers = await numbersOf(l, device);
    await l.attach(device);
    const snapshot = await l.takeSnapshot(device);
    const image = await snapshot.image(device);
    const writing = startLoad(l.guest, { ...load, ...where, randseed: random.below(1e9) });
    await writing.started;
    await writing.stop();
    await image.read(0, 4096);
    const references = await moduleReferences(l);

    skip(!await letGo(target), KEPT);
    await lostFilter(l, device, references);
    expect(await moduleReferences(l), 'the snapshot is there').toBeGreaterThan(0);

    await expectFailed(snapshot, image, numbers);
    await snapshot.destroy();
    expect(await imagesOf(l)).toEqual([]);
    expect(await moduleReferences(l)).toBe(0);
  });

  test(`the other image stays right when ${what} while both are written`, { meta: { spec: ['SNP-05', 'FLT-10', 'COW-01', 'EVT-02'] } }, async ({ lab, random, skip }) => {
    const l = await lab({ disks });
    const target = await make(l);
    const { device, other, where, whereOther } = target;
    const numbers = await numbersOf(l, device);
    await other.fill(1, { length: 7 * 1024 * 1024 });
    await l.attach(device, other);
    const snapshot = await l.takeSnapshot([device, other]);
    const [image, otherImage] = [await snapshot.image(device), await snapshot.image(other)];
    const frozen = await other.sectors();
    const writing = startLoad(l.guest, { ...load, ...where, randseed: random.below(1e9) });
    const otherWriting = startLoad(l.guest, { ...load, ...whereOther, randseed: random.below(1e9) });
    await Promise.all([writing.started, otherWriting.started]);
    const references = await moduleReferences(l);

    const isGone = await letGo(target, writing);
    if (!isGone) await otherWriting.stop();
    skip(!isGone, KEPT);
    await lostFilter(l, device, references);

    await expectFailed(snapshot, image, numbers);
    expect((await otherWriting.stop()).writes).toBeGreaterThan(0);
    expect((await other.sectors()).sums).not.toEqual(frozen.sums);
    await expect(await otherImage.sectors()).toHoldSectorsOf(frozen);
    expect(await other.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
    await snapshot.destroy();
    await other.detach();
    expect(await moduleReferences(l)).toBe(0);
  });
}

test('the filter goes when a read-only loop device gets another file', { meta: { spec: ['FLT-10', 'CBT-12'] } }, async ({ lab }) => {
  const l = await lab();
  await l.sh('truncate -s 8M /tmp/one /tmp/other; losetup -r /dev/loop0 /tmp/one');
  const loop = l.device('/dev/loop0');
  await l.attach(loop);
  await l.sh('blkio ioctl --rdonly "$1" 0x4c06 --ptr 3 3< /tmp/other', loop.path);
  await lostFilter(l, loop, 1);
  await l.sh('losetup -d "$1"', loop.path);
});
