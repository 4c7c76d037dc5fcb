/** A generation is a run of snapshots whose numbers compare: what must end it ends it, and nothing else does.
 *  Method: do what ends one, or looks as if it did, and compare the UUID in cbt info, the number and the map. */
import { dataDisk, expect, makeLoop, makePartitions, playWrites, test, type Device } from '../fixtures/index.js';
import { CbtModel } from '../oracle/cbt.js';

const SECTOR = 512;
const BLOCK = 64 * 1024;
const MIB = 1024 * 1024;

test('attaching anew starts a new generation with an empty map', { meta: { spec: ['CBT-04'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  await playWrites(device, [{ offset: 5 * BLOCK, length: SECTOR }]);
  await (await l.takeSnapshot(device)).destroy();
  const before = await device.cbtInfo();
  await device.detach();
  await device.attach();
  const after = await device.cbtInfo();
  expect(after.generation).not.toBe(before.generation);
  expect(after.changes).toBe(0);
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new CbtModel(dataDisk.sizeBytes).frozen);
});

test('generation ids are RFC 4122 UUIDs, one for each device', { meta: { spec: ['CBT-04', 'ABI-01'] } }, async ({ lab }) => {
  const l = await lab();
  const devices = [l.disk('data'), l.disk('store')];
  await l.attach(...devices);
  const ids = await Promise.all(devices.map(async (device) => (await device.cbtInfo()).generation));
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(2);
});

test('a rescan, a uevent or a close after write that changes nothing keeps filter, map and generation', { meta: { spec: ['CBT-12'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes);
  await l.attach(device);
  await playWrites(device, [{ offset: 3 * BLOCK, length: SECTOR }]);
  model.mark(3 * BLOCK, SECTOR);
  await (await l.takeSnapshot(device)).destroy();
  model.take();
  await playWrites(device, [{ offset: 8 * BLOCK, length: SECTOR }]);
  model.mark(8 * BLOCK, SECTOR);
  const before = await device.cbtInfo();

  await l.sh('blockdev --rereadpt "$1"', device.path);
  await l.sh('echo change > "/sys/class/block/$1/uevent"', device.name);
  await l.sh(': <> "$1"', device.path);

  expect(await device.sysfsFilter()).toBe('blksnap\n');
  expect(await device.cbtInfo()).toEqual(before);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('a rescan that finds a partition unchanged keeps its filter, map and generation', { meta: { spec: ['CBT-12', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  const [, part] = await makePartitions(l, disk, [{ start: MIB, length: 4 * MIB }, { start: 6 * MIB, length: 4 * MIB }]) as [Device, Device];
  await l.attach(part);
  await playWrites(part, [{ offset: BLOCK, length: SECTOR }]);
  await (await l.takeSnapshot(part)).destroy();
  const [info, map] = [await part.cbtInfo(), await part.cbtMap()];
  await l.sh('blockdev --rereadpt "$1"', disk.path);
  expect(await part.sysfsFilter()).toBe('blksnap\n');
  expect(await part.cbtInfo()).toEqual(info);
  expect(await part.cbtMap()).toMark(map);
});

test('a device that grows gets a map of its size and a new generation at the next take', { meta: { spec: ['CBT-04', 'COW-10'] } }, async ({ lab }) => {
  const l = await lab();
  const device = await makeLoop(l, 4 * MIB);
  await l.attach(device);
  await playWrites(device, [{ offset: 0, length: SECTOR }]);
  await (await l.takeSnapshot(device)).destroy();
  const before = await device.cbtInfo();
  await l.sh('truncate -s "$1" /tmp/backing; losetup -c "$2"', `${6 * MIB + SECTOR}`, device.path);

  await (await l.takeSnapshot(device)).destroy();
  const after = await device.cbtInfo();
  expect(after.generation).not.toBe(before.generation);
  expect(after).toMatchObject({ capacity: 6 * MIB + SECTOR, block_count: 97 });

  const model = new CbtModel(after.capacity);
  model.number = after.changes + 1;
  await playWrites(device, [{ offset: 6 * MIB, length: SECTOR }]);
  model.mark(6 * MIB, SECTOR);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('a different disk under the same device number inherits nothing', { meta: { spec: ['CBT-12', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab();
  const device = await makeLoop(l, 4 * MIB);
  await device.attach();
  await playWrites(device, [{ offset: BLOCK, length: SECTOR }]);
  await (await l.takeSnapshot(device)).destroy();
  const before = await device.cbtInfo();
  await l.sh('losetup -d "$1"; truncate -s 4M /tmp/other; losetup "$1" /tmp/other', device.path);

  expect(await device.sysfsFilter()).toBe('\n');
  await expect(device.cbtInfo()).rejects.toMatchObject({ errno: 'ENOENT' });
  await l.attach(device);
  const after = await device.cbtInfo();
  expect(after.generation).not.toBe(before.generation);
  expect(after.changes).toBe(0);
});
