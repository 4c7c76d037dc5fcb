/** What never becomes a bio of the device is not seen by its filter: each way is pinned down here, and where it is open by design,
 *  the filter is refused. Method: write that way, see that the data is on the device and that the probe, or the map, has nothing. */
import {
  attachProbe, dataDisk, expect, hotDisk, loadProbe, makeLinear, makeMd, makePartitions, makeTestDisk, secondDisk, storeDisk, test, tool, type Device,
} from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;

test('a write by SG_IO reaches the disk and is not seen, unlike the same write by a bio', { meta: { spec: ['FLT-15'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  await loadProbe(l);
  const hot = l.disk('hot');
  const probe = await attachProbe(l, hot);
  await tool(l.guest, ['blkio', 'sgwrite', hot.path, `${MIB}`], { stdin: new Uint8Array(4 * KIB).fill(7) });
  expect(await probe.counts()).toMatchObject({ write: 0, other: 0 });
  expect(await hot.read(MIB, 4 * KIB)).toEqual(Buffer.alloc(4 * KIB, 7));
  await hot.write(MIB, new Uint8Array(4 * KIB).fill(8));
  expect(await probe.counts()).toMatchObject({ write: 1 });
});

test('a write by SG_IO to a tracked disk is in no change map', { meta: { spec: ['FLT-15'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  const hot = l.disk('hot');
  await l.attach(hot);
  await tool(l.guest, ['blkio', 'sgwrite', hot.path, '0'], { stdin: new Uint8Array(4 * KIB).fill(7) });
  await hot.write(8 * MIB, new Uint8Array(4 * KIB));
  await l.takeSnapshot(hot);
  const { block_size: blockSize } = await hot.cbtInfo();
  expect([...await hot.cbtMap()].flatMap((mark, block) => (mark > 0 ? [block] : []))).toEqual([8 * MIB / blockSize]);
});

for (const filter of ['blksnap', 'probe']) {
  test(`${filter} is refused on a disk with DAX and on its partitions, with EOPNOTSUPP, and the log says why`, { meta: { spec: ['FLT-15'] } }, async ({ lab }) => {
    const l = await lab();
    await loadProbe(l);
    const disk = await makeTestDisk(l, { dax: true });
    const [part] = await makePartitions(l, disk, [{ start: MIB, length: 4 * MIB }]) as [Device];
    for (const device of [disk, part]) {
      await expect(device.attach(filter)).rejects.toMatchObject({ errno: 'EOPNOTSUPP' });
      expect(await device.sysfsFilter()).toBe('\n');
      await device.write(0, new Uint8Array(4 * KIB).fill(1));
    }
    expect((await l.guest.klog()).some(({ text }) => /testdisk.*filter .* refused.*DAX/.test(text))).toBe(true);
    expect(await l.sh('cat /sys/module/blkprobe/refcnt /sys/module/blksnap/refcnt')).toBe('0\n0');
  });
}

test('the same disk without DAX takes the filter', { meta: { spec: ['FLT-15'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = await makeTestDisk(l);
  await attachProbe(l, disk);
  expect(await disk.sysfsFilter()).toBe('probe\n');
});

test('a write to the device below a device-mapper device is not seen by the filter above', { meta: { spec: ['FLT-15'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  await loadProbe(l);
  const below = l.disk('second');
  const above = await makeLinear(l, 'line', below, 8 * MIB);
  const probe = await attachProbe(l, above);
  await below.write(MIB, new Uint8Array(4 * KIB).fill(7));
  expect(await probe.counts()).toMatchObject({ write: 0 });
  expect(await above.read(MIB, 4 * KIB)).toEqual(Buffer.alloc(4 * KIB, 7));
  await above.write(MIB, new Uint8Array(4 * KIB).fill(8));
  expect(await probe.counts()).toMatchObject({ write: 1 });
});

test('a filter below a device-mapper device sees what comes from above, and what is written to it directly', { meta: { spec: ['FLT-15', 'FLT-12'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  await loadProbe(l);
  const below = l.disk('second');
  const above = await makeLinear(l, 'line', below, 8 * MIB);
  const probe = await attachProbe(l, below);
  await above.write(MIB, new Uint8Array(4 * KIB).fill(7));
  await below.write(2 * MIB, new Uint8Array(4 * KIB).fill(7));
  expect((await probe.log()).filter(({ kind }) => kind === 'write').map(({ offset }) => offset)).toEqual([MIB, 2 * MIB]);
});

// These send on the bio that they were given; others make a new one.
for (const level of ['linear', '0']) {
  test(`filters of the members of an md array of level ${level} see what its own filter has seen, once each`, { meta: { spec: ['FLT-12', 'FLT-14'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
    await loadProbe(l);
    const members = [l.disk('data'), l.disk('second')];
    const array = await makeMd(l, 'build', [`--level=${level}`, ...(level === '0' ? ['--chunk=64'] : [])], ...members);
    const probes = [await attachProbe(l, array), await attachProbe(l, members[0] as Device), await attachProbe(l, members[1] as Device, 'probe2')];
    const last = Math.floor(await array.size() / (128 * KIB)) * 128 * KIB - 128 * KIB;
    for (const offset of [0, 64 * KIB, last, last + 64 * KIB]) await array.write(offset, new Uint8Array(4 * KIB).fill(7));
    expect((await Promise.all(probes.map((probe) => probe.counts()))).map(({ write }) => write)).toEqual([4, 2, 2]);
  });
}
