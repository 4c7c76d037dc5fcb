/** Ranges can be marked by hand; a wrong one is refused together with all others of its call.
 *  Method: mark good and bad ranges, by tool and by raw call, and look at the map of the next take. */
import { badPointer, behind, ctlCommand, dataDisk, dirtyArgument, dirtyRanges, expect, filterCtl, test, ToolError } from '../fixtures/index.js';
import { CbtModel, type Granularity } from '../oracle/cbt.js';

const SECTOR = 512;
const SECTORS = dataDisk.sizeBytes / SECTOR;
const params = { tracking_block_minimum_shift: 12 };
const rule: Granularity = { minimumShift: 12, maximumCount: 2_097_152, maximumShift: 26 };
const DIRTY_ARGUMENT_BYTES = 16;

test('all ranges of a call are marked, partial blocks too, up to the last sector', { meta: { spec: ['CBT-07'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  const marked = [[0, 1], [15, 2], [800, 800], [SECTORS - 1, 1]] as const;
  await l.attach(device);
  await device.cbtDirty(...marked);
  for (const [sector, count] of marked) model.mark(sector * SECTOR, count * SECTOR);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('ten thousand ranges are marked by one call', { meta: { spec: ['CBT-07'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  const sectors = Array.from({ length: 10_000 }, () => random.below(SECTORS));
  await l.attach(device);
  await l.guest.writeFile('/tmp/ranges', sectors.map((sector) => `${sector}:1`).join('\n'));
  await l.sh('blksnapctl cbt dirty "$1" $(cat /tmp/ranges) > /dev/null', device.path);
  for (const sector of sectors) model.mark(sector * SECTOR, SECTOR);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});

test('ten thousand ranges of which the last is past the end are refused with nothing marked', { meta: { spec: ['CBT-07'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const sectors = Array.from({ length: 10_000 }, () => random.below(SECTORS));
  await l.attach(device);
  await l.guest.writeFile('/tmp/ranges', [...sectors, SECTORS].map((sector) => `${sector}:1`).join('\n'));
  await expect(l.sh('blksnapctl cbt dirty "$1" $(cat /tmp/ranges)', device.path)).rejects.toThrow(/EINVAL/);
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new CbtModel(dataDisk.sizeBytes, rule).frozen);
});

test('the whole device can be marked as one range', { meta: { spec: ['CBT-07'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  await device.cbtDirty([0, SECTORS]);
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new Uint8Array(new CbtModel(dataDisk.sizeBytes, rule).blockCount).fill(1));
});

test('marks made by hand during a hold are in the next map', { meta: { spec: ['CBT-05', 'CBT-07'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  const held = await l.takeSnapshot(device);
  // The device has changed block 10 meanwhile.
  await device.write(10 * 4096, Buffer.alloc(4096, 1));
  await device.cbtDirty([80, 8]);
  expect((await device.cbtMap(10, 1))[0]).toBe(2);
  await held.destroy();
  await l.takeSnapshot(device);
  const map = await device.cbtMap();
  expect([...map.keys()].filter((block) => map[block] !== 0)).toEqual([10]);
  expect(map[10]).toBe(2);
});

test('a call with a range past the end or overflowing is refused with nothing marked, and an empty one marks nothing', { meta: { spec: ['CBT-07', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const last = 2n ** 64n - 1n;
  const bad: readonly (readonly [bigint, bigint])[] = [
    [BigInt(SECTORS), 1n], [BigInt(SECTORS) - 1n, 2n], [0n, BigInt(SECTORS) + 1n], [BigInt(SECTORS) + 1000n, 1n],
    [last, 2n], [last, 1n], [1n, last], [8n, last - 6n], [2n ** 63n, 2n ** 63n], [0n, 2n ** 55n], [2n ** 55n, 8n],
  ];
  await l.attach(device);
  for (const range of bad) {
    await expect(device.cbtDirty([0, 8], range, [100, 1]), `${range[0]}:${range[1]}`).rejects.toThrow(ToolError);
  }
  for (const sector of [16, 0, SECTORS]) {
    await device.cbtDirty([sector, 0]).catch((error: unknown) => expect(error).toBeInstanceOf(ToolError));
  }
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new CbtModel(dataDisk.sizeBytes, rule).frozen);
});

test('an absurd count of ranges is refused with nothing marked and nothing allocated for it', { meta: { spec: ['CBT-07', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  const more = dirtyRanges([0n, 8n], [8n, 8n]);
  for (const count of [0xffff_ffff, 0x8000_0000, 0x1000_0001, 0x0fff_ffff, 0x0010_0000]) {
    const { error } = await filterCtl(l.guest, device.path, ctlCommand.cbtDirty, dirtyArgument(count, behind(DIRTY_ARGUMENT_BYTES)), { more });
    // No memory would mean that it was asked for.
    expect([null, 'ENOMEM'], `count ${count}`).not.toContain(error);
  }
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new CbtModel(dataDisk.sizeBytes, rule).frozen);
});

test('ranges that cannot be read to the last are EFAULT with nothing marked', { meta: { spec: ['CBT-07', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  for (const pointer of [0n, badPointer, 0xffff_8880_0000_0000n]) {
    expect(await filterCtl(l.guest, device.path, ctlCommand.cbtDirty, dirtyArgument(2, pointer))).toMatchObject({ error: 'EFAULT' });
  }
  // The first two hundred are there and good; then memory ends.
  const more = dirtyRanges(...Array.from({ length: 200 }, () => [0n, 8n] as const));
  expect(await filterCtl(l.guest, device.path, ctlCommand.cbtDirty, dirtyArgument(2000, behind(DIRTY_ARGUMENT_BYTES)), { more })).toMatchObject({ error: 'EFAULT' });
  await l.takeSnapshot(device);
  expect(await device.cbtMap()).toMark(new CbtModel(dataDisk.sizeBytes, rule).frozen);
});
