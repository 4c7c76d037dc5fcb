/** What a filter submits to its own device it does not see again; what it submits elsewhere is seen there, whoever filters there.
 *  Method: a probe does I/O of its own, on command and for each bio it is given, and probes on all nodes tell what they saw. */
import { attachProbe, dataDisk, expect, fio, loadProbe, makePartitions, numbersOf, secondDisk, storeDisk, test, type Device } from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;

test('a filter does not see its own reads and writes of its own device, which do happen', { meta: { spec: ['FLT-07'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  const probe = await attachProbe(l, data);
  expect(await probe.submit('write', MIB, 4 * KIB, { fill: 0x5a })).toBeNull();
  expect(await probe.submit('read', MIB, 4 * KIB)).toBeNull();
  expect(await probe.counts()).toMatchObject({ write: 0, own: 2 });
  expect((await probe.log()).filter(({ offset }) => offset === MIB)).toEqual([]);
  expect(await data.read(MIB, 4 * KIB)).toEqual(Buffer.alloc(4 * KIB, 0x5a));
  expect((await probe.log()).filter(({ offset }) => offset === MIB)).toHaveLength(1);
});

test('I/O of its own beyond the device\'s end is an error, and reaches nothing', { meta: { spec: ['FLT-07'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = l.disk('data');
  const [part] = await makePartitions(l, disk, [{ start: MIB, length: 4 * MIB }, { start: 5 * MIB, length: MIB }]) as [Device];
  const probe = await attachProbe(l, part);
  expect(await probe.submit('write', 4 * MIB, 4 * KIB, { fill: 1 })).toBe('EIO');
  expect(await probe.submit('write', 4 * MIB - 512, 4 * KIB, { fill: 1 })).toBe('EIO');
  expect(await probe.submit('read', 4 * MIB, 4 * KIB)).toBe('EIO');
  expect(await disk.read(5 * MIB - 512, 8 * KIB)).toEqual(Buffer.alloc(8 * KIB));
});

test('while it looks at a bio, a filter reads its device and another one: it sees the first not, the other\'s filter sees the second', { meta: { spec: ['FLT-07', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  await loadProbe(l);
  const [data, second] = [l.disk('data'), l.disk('second')];
  const probe = await attachProbe(l, data);
  const other = await attachProbe(l, second, 'probe2');
  await probe.set('read', { peer: await numbersOf(l, second) });
  const before = [await probe.counts(), await other.counts()];
  for (let index = 0; index < 5; index++) await data.write(index * MIB, new Uint8Array(4 * KIB));
  const after = [await probe.counts(), await other.counts()];
  expect([after[0]!.write - before[0]!.write, after[0]!.read - before[0]!.read, after[0]!.own]).toEqual([5, 0, 10]);
  expect([after[1]!.write - before[1]!.write, after[1]!.read - before[1]!.read]).toEqual([0, 5]);
  expect((await other.log()).slice(-5).map(({ offset, length }) => [offset / MIB, length])).toEqual([0, 1, 2, 3, 4].map((at) => [at, 4 * KIB]));
});

test('two filters that read each other\'s device for each write do not wait for each other', { meta: { spec: ['FLT-07', 'FLT-09', 'FLT-14'] } }, async ({ lab, random }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  await loadProbe(l);
  const devices = [l.disk('data'), l.disk('second')] as const;
  const probes = [await attachProbe(l, devices[0]), await attachProbe(l, devices[1], 'probe2')] as const;
  await probes[0].set('read', { peer: await numbersOf(l, devices[1]), kinds: ['write'] });
  await probes[1].set('read', { peer: await numbersOf(l, devices[0]), kinds: ['write'] });
  const runs = await Promise.all(devices.map((device) => fio(l.guest, {
    filename: device.path, rw: 'randwrite', bs: '4k', size: '1m', iodepth: 8, randseed: random.below(1e9),
  })));
  expect(runs.map(({ writes }) => writes)).toEqual([256, 256]);
  for (const probe of probes) expect(await probe.counts()).toMatchObject({ write: 256, own: 512 });
});

test('what the filter of a partition writes is seen by the filter of the whole disk, at its place there', { meta: { spec: ['FLT-07', 'FLT-12'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = l.disk('data');
  const [part] = await makePartitions(l, disk, [{ start: MIB + 512, length: 4 * MIB }]) as [Device];
  const probe = await attachProbe(l, part);
  const whole = await attachProbe(l, disk, 'probe2');
  expect(await probe.submit('write', 8 * KIB, 4 * KIB, { fill: 3 })).toBeNull();
  expect((await whole.log()).filter(({ kind }) => kind === 'write')).toMatchObject([{ offset: MIB + 512 + 8 * KIB, length: 4 * KIB }]);
  expect(await probe.counts()).toMatchObject({ write: 0 });
  expect(await whole.submit('write', MIB + 512 + 16 * KIB, 4 * KIB, { fill: 4 })).toBeNull();
  expect((await probe.log()).filter(({ kind }) => kind === 'write')).toMatchObject([{ offset: 16 * KIB, length: 4 * KIB }]);
  expect(await whole.counts()).toMatchObject({ write: 1 });
});

test('what a probe writes to a device with blksnap on it is tracked there and frozen out of the image', { meta: { spec: ['FLT-07', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  await loadProbe(l);
  const [data, second] = [l.disk('data'), l.disk('second')];
  await data.fill(1);
  await l.attach(data);
  const probe = await attachProbe(l, second);
  const snapshot = await l.takeSnapshot(data);
  const frozen = await data.sectors();
  expect(await probe.submit('write', 5 * MIB, 4 * KIB, { to: await numbersOf(l, data), fill: 9 })).toBeNull();
  expect(await data.read(5 * MIB, 4 * KIB)).toEqual(Buffer.alloc(4 * KIB, 9));
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(frozen);
  await snapshot.destroy();
  const { changes } = await data.cbtInfo();
  await l.takeSnapshot(data);
  const map = await data.cbtMap();
  expect([...map].flatMap((mark, block) => (mark > changes ? [block] : []))).toEqual([5 * MIB / (await data.cbtInfo()).block_size]);
});

test('what blksnap stores on a device with a probe on it is seen by the probe, and the image is right', { meta: { spec: ['FLT-07', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const [data, store] = [l.disk('data'), l.disk('store')];
  await data.fill(1);
  await l.attach(data);
  const probe = await attachProbe(l, store);
  await probe.set('work');
  const snapshot = await l.takeSnapshot(data);
  const frozen = await data.sectors();
  await data.fill(2, { length: 8 * MIB });
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(frozen);
  await snapshot.destroy();
  const counts = await probe.counts();
  expect(counts.write).toBeGreaterThan(0);
  expect(counts.sectors * 512).toBeGreaterThanOrEqual(8 * MIB);
});
