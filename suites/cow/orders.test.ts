/** Calls in the wrong order, with a wrong id or for a device that is elsewhere get the error that programs depend on, and change
 *  nothing: whatever was there before is there after, and works.
 *  Method: each call is made too early, too late or twice, and then the right one follows. */
import { dataDisk, expect, secondDisk, storeDisk, test, tool, type Device, type Lab } from '../fixtures/index.js';

const BLOCK = 4096;
const inMemory = { storage: '/tmp', limit: '16M' };

async function threeDisks(lab: (options: { disks: (typeof dataDisk)[] }) => Promise<Lab>): Promise<{ l: Lab; data: Device; second: Device }> {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const [data, second] = [l.disk('data'), l.disk('second')];
  await l.attach(data, second);
  return { l, data, second };
}

/** It is in no snapshot: that is an error, or it has no image. */
async function expectOutside(device: Device): Promise<void> {
  const image = await device.snapshotInfo().then((info) => info.image, (error: unknown) => {
    expect(error).toMatchObject({ name: 'ToolError' });
    return null;
  });
  expect(image).toBeNull();
}

test('a snapshot without a device is not taken, and can be taken once it has one', { meta: { spec: ['SNP-04'] } }, async ({ lab }) => {
  const { l, data } = await threeDisks(lab);
  const snapshot = await l.createSnapshot();
  await expect(snapshot.take()).rejects.toMatchObject({ errno: 'ENODEV' });
  await snapshot.add(data);
  await snapshot.take();
  expect(await (await snapshot.image(data)).size()).toBe(dataDisk.sizeBytes);
});

test('a second take is EALREADY, and the cut stays where it was', { meta: { spec: ['SNP-04'] } }, async ({ lab }) => {
  const { l, data } = await threeDisks(lab);
  await data.write(0, Buffer.alloc(BLOCK, 1));
  const snapshot = await l.takeSnapshot(data);
  const before = await data.cbtInfo();
  await data.write(0, Buffer.alloc(BLOCK, 2));

  await expect(snapshot.take()).rejects.toMatchObject({ errno: 'EALREADY' });
  expect(await data.cbtInfo()).toEqual(before);
  expect(await (await snapshot.image(data)).read(0, BLOCK)).toEqual(Buffer.alloc(BLOCK, 1));
});

test('a device joins its snapshot once, and none joins after the take', { meta: { spec: ['SNP-04'] } }, async ({ lab }) => {
  const { l, data, second } = await threeDisks(lab);
  const snapshot = await l.createSnapshot();
  await snapshot.add(data);
  await expect(snapshot.add(data)).rejects.toMatchObject({ errno: 'EALREADY' });
  await snapshot.take();
  await expect(snapshot.add(data)).rejects.toMatchObject({ errno: 'EALREADY' });
  await expect(snapshot.add(second)).rejects.toMatchObject({ name: 'ToolError' });
  await expectOutside(second);

  const other = await l.takeSnapshot(second, inMemory);
  expect(await (await other.image(second)).size()).toBe(secondDisk.sizeBytes);
  expect(await (await snapshot.image(data)).size()).toBe(dataDisk.sizeBytes);
});

test('a device that is in a snapshot joins no other one, before the take and after it, until that is destroyed', { meta: { spec: ['SNP-03', 'SNP-04'] } }, async ({ lab }) => {
  const { l, data, second } = await threeDisks(lab);
  const [one, other] = [await l.createSnapshot(), await l.createSnapshot(inMemory)];
  await one.add(data);
  await expect(other.add(data)).rejects.toMatchObject({ errno: 'EBUSY' });
  await one.take();
  await expect(other.add(data)).rejects.toMatchObject({ errno: 'EBUSY' });
  await other.add(second);
  await other.take();
  await expect(data.snapshotInfo()).resolves.toMatchObject({ error: 0 });

  await one.destroy();
  await other.destroy();
  const next = await l.takeSnapshot([data, second]);
  expect(await (await next.image(data)).size()).toBe(dataDisk.sizeBytes);
});

test('a snapshot that was destroyed, or never was, is ESRCH to every command, and others stay', { meta: { spec: ['SNP-04'] } }, async ({ lab }) => {
  const { l, data, second } = await threeDisks(lab);
  const held = await l.takeSnapshot(second, inMemory);
  const gone = await l.takeSnapshot(data);
  await gone.destroy();
  for (const id of [gone.id, '00000000-0000-0000-0000-000000000000', held.id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))]) {
    for (const words of [['add', id, data.path], ['take', id], ['destroy', id], ['wait', id, '--timeout', '1']]) {
      await expect(tool(l.guest, ['blksnapctl', 'snapshot', ...words]), words.join(' ')).rejects.toMatchObject({ errno: 'ESRCH' });
    }
  }
  await expectOutside(data);
  expect(await second.snapshotInfo()).toMatchObject({ error: 0 });
  expect(await (await held.image(second)).size()).toBe(secondDisk.sizeBytes);
});
