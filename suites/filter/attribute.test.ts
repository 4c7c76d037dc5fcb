/** The attribute `filter`: every disk and partition has it, for reading only, and it is true whatever became of the device.
 *  Method: read it on all devices there are, and as they and their filters come and go. */
import { attachProbe, expect, loadProbe, makeLinear, makeLoop, makePartitions, secondDisk, dataDisk, storeDisk, test, writeTable, type Device } from '../fixtures/index.js';

const MIB = 1024 * 1024;
const extents = [{ start: MIB, length: 4 * MIB }, { start: 6 * MIB, length: 4 * MIB }];

test('the attribute is there on all kinds of devices, is a newline, and root cannot write to it', { meta: { spec: ['FLT-05'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const parts = await makePartitions(l, l.disk('data'), extents);
  const devices = [l.disk('data'), ...parts, await makeLoop(l, MIB), await makeLinear(l, 'line', l.disk('second'), MIB)];
  for (const device of devices) {
    expect(await l.sh('stat -c "%a %U" "/sys/class/block/$1/filter"; od -An -c "/sys/class/block/$1/filter"', device.name), device.path).toBe('444 root\n  \\n');
    await expect(l.sh('chmod 644 "/sys/class/block/$1/filter"; echo blksnap > "/sys/class/block/$1/filter"', device.name)).rejects.toThrow();
    expect(await device.sysfsFilter()).toBe('\n');
  }
});

test('the attribute names each node\'s own filter, and follows it', { meta: { spec: ['FLT-05', 'FLT-14'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const disk = l.disk('data');
  const [one, two] = await makePartitions(l, disk, extents) as [Device, Device];
  const all = async (): Promise<string[]> => Promise.all([disk, one, two].map((device) => device.sysfsFilter()));
  await l.attach(one);
  await attachProbe(l, two);
  await attachProbe(l, disk, 'probe2');
  expect(await all()).toEqual(['probe2\n', 'blksnap\n', 'probe\n']);
  await one.detach();
  await attachProbe(l, one, 'mute');
  expect(await all()).toEqual(['probe2\n', 'mute\n', 'probe\n']);
  // The second partition moves: what is at its place now has no filter.
  await disk.detach('probe2');
  await writeTable(l, disk, [extents[0], { start: 7 * MIB, length: 4 * MIB }]);
  await l.sh('blockdev --rereadpt "$1"', disk.path);
  expect(await all()).toEqual(['\n', 'mute\n', '\n']);
});
