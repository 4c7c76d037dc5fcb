/** What an attached filter shows of itself, and what it keeps from going away.
 *  Method: read sysfs, unload, detach while held, and look for numbers that collide. */
import { dataDisk, expect, filterCommand, filterName, holdOpen, hotDisk, ioctl, makePartitions, moduleReferences, storeDisk, test, untilModuleReferences, type Device } from '../fixtures/index.js';

const MIB = 1024 * 1024;

test('sysfs names the filter of every disk and partition, and cannot be written', { meta: { spec: ['FLT-05'] } }, async ({ lab }) => {
  const l = await lab();
  const disk = l.disk('data');
  const [part] = await makePartitions(l, disk, [{ start: MIB, length: 4 * MIB }]) as [Device];
  expect([await disk.sysfsFilter(), await part.sysfsFilter(), await l.disk('store').sysfsFilter()]).toEqual(['\n', '\n', '\n']);
  await l.attach(part);
  expect([await disk.sysfsFilter(), await part.sysfsFilter()]).toEqual(['\n', 'blksnap\n']);
  expect(await l.sh('stat -c %a "/sys/class/block/$1/filter"', disk.name)).toBe('444');
  await expect(l.sh('for d in /sys/class/block/*; do [ -e "$d/filter" ]; done')).resolves.toBe('');
});

test('the module does not unload while it is attached anywhere, and does the moment it is not', { meta: { spec: ['FLT-06', 'SNP-07'] } }, async ({ lab }) => {
  const l = await lab();
  const devices = [l.disk('data'), l.disk('store')];
  await l.attach(...devices);
  for (const device of devices) {
    await expect(l.unloadModule()).rejects.toMatchObject({ exitCode: 1 });
    expect(await device.sysfsFilter()).toBe('blksnap\n');
    await device.detach();
  }
  expect(await moduleReferences(l)).toBe(0);
  await l.unloadModule();
  await l.loadModule();
  await l.attach(...devices);
});

test('the module does not unload while there is a snapshot, though without a device, and does when there is none', { meta: { spec: ['SNP-07'] } }, async ({ lab }) => {
  const l = await lab();
  const snapshot = await l.createSnapshot();
  await expect(l.unloadModule()).rejects.toMatchObject({ exitCode: 1 });
  await snapshot.destroy();
  await l.unloadModule();
});

test('the module does not unload while its control device is open', { meta: { spec: ['SNP-07'] } }, async ({ lab }) => {
  const l = await lab();
  const daemon = await holdOpen(l.device('/dev/blksnap-control'));
  await expect(l.unloadModule()).rejects.toMatchObject({ exitCode: 1 });
  await daemon.close();
  await l.unloadModule();
});

test('without the module there is no filter to attach, and no control device', { meta: { spec: ['FLT-03', 'SNP-07'] } }, async ({ lab }) => {
  const l = await lab();
  await l.unloadModule();
  await expect(l.disk('data').attach()).rejects.toMatchObject({ errno: 'ENOENT', call: 'BLKFILTER_ATTACH' });
  expect(await l.sh('ls /dev/blksnap* 2>/dev/null || true')).toBe('');
});

test('loading the module twice is refused, and harms nobody', { meta: { spec: ['FLT-06'] } }, async ({ lab }) => {
  const l = await lab();
  await l.attach(l.disk('data'));
  await expect(l.loadModule()).rejects.toThrow(/exist/i);
  expect(await l.disk('data').sysfsFilter()).toBe('blksnap\n');
});

test('detaching while the device is in a snapshot that is held is refused, or the image fails', { meta: { spec: ['FLT-03', 'SNP-04'] } }, async ({ lab, random }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const snapshot = await l.takeSnapshot(device);
  const image = await snapshot.image(device);
  const frozen = await device.sectors();
  const refusal = await device.detach().then(() => undefined, (error: unknown) => error);
  expect(await device.sysfsFilter()).toBe(refusal === undefined ? '\n' : 'blksnap\n');
  const bytes = random.bytes(4096);
  await device.write(MIB, bytes);
  if (refusal === undefined) {
    await expect(image.sectors()).rejects.toMatchObject({ name: 'ToolError' });
  } else {
    expect(refusal).toMatchObject({ name: 'ToolError' });
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
  }
  expect(await device.read(MIB, 4096)).toEqual(Buffer.from(bytes));
  await snapshot.destroy();
  if (refusal !== undefined) await device.detach();
});

test('a disk that is pulled out takes no filter and gives up the one it had', { meta: { spec: ['FLT-03', 'FLT-10'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk, hotDisk] });
  const device = l.disk('hot');
  await device.attach();
  const holder = l.guest.start(['blkio', 'hold', device.path]);
  await new Promise<void>((resolve) => { holder.onStdout(() => resolve()); });
  await l.guest.unplug('hot');
  holder.end();
  await holder.result;
  await untilModuleReferences(l, 0);
  await expect(device.attach()).rejects.toMatchObject({ errno: expect.stringMatching(/^(ENOENT|ENODEV|ENXIO)$/) as string });
});

test('the numbers of the commands belong to nobody else', { meta: { spec: ['ABI-01'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  // The same numbers with arguments of other sizes or directions are other commands: not ours.
  const others = [0, 8, 16, 31, 33, 47, 49, 64].flatMap((size) => [140, 141, 142].map((number) => 0xc000_1200 + size * 0x1_0000 + number));
  const wrongWays = [0x4020_128c, 0x8020_128c, 0x0020_128c, 0x4030_128e, 0x8030_128e];
  const name = filterName('blksnap').toString('hex');
  const answers = await l.sh('device=$1; shift; for command; do blkio ioctl --rdonly "$device" "$command" "$0"; done'.replace('$0', name), device.path, ...[...others, ...wrongWays].map(String));
  const errors = answers.split('\n').map((line) => (JSON.parse(line) as { error: string | null }).error);
  expect(errors).toHaveLength(others.length + wrongWays.length);
  for (const error of errors) expect(['ENOTTY', 'EINVAL', 'EOPNOTSUPP']).toContain(error);
  expect(await device.sysfsFilter()).toBe('\n');
  // On what is no block device they are nothing.
  for (const command of Object.values(filterCommand)) expect(await ioctl(l.guest, '/dev/zero', command, filterName('blksnap'))).toMatchObject({ error: 'ENOTTY' });
});
