/** The block size is the smallest power of two that keeps the map within its limits, and the limits are the parameters.
 *  Method: attach to sparse devices of chosen sizes under chosen parameters, and compare cbt info with the rule. */
import { expect, test, type Lab } from '../fixtures/index.js';
import { unitSize, type Granularity } from '../oracle/cbt.js';

const SECTOR = 512;
const GIB = 1024 ** 3;
const parameters = '/sys/module/blksnap/parameters';
const NEVER_SET = 'this module takes parameters only when it is loaded';

const named = ({ minimumShift, maximumCount, maximumShift }: Granularity) => ({
  tracking_block_minimum_shift: minimumShift, tracking_block_maximum_count: maximumCount, tracking_block_maximum_shift: maximumShift,
});

/** Of these parameters those that can be set while the module is loaded: that may be none. */
async function settable(l: Lab, names: readonly string[]): Promise<string[]> {
  const modes = await l.sh('cd "$1" 2> /dev/null || exit 0; stat -c "%A %n" *', parameters);
  return names.filter((name) => new RegExp(`^-.w\\S* ${name}$`, 'm').test(modes));
}

/** What the module makes of a sparse device of this size. */
async function infoOf(l: Lab, sizeBytes: number) {
  await l.sh('truncate -s "$1" /tmp/sparse', `${sizeBytes}`);
  const device = l.device(await l.sh('losetup --find --show /tmp/sparse'));
  try {
    await device.attach();
    const info = await device.cbtInfo();
    await device.detach();
    return info;
  } finally {
    await l.sh('losetup -d "$1"', device.path);
  }
}

const rules: readonly (Granularity & { readonly sizesBytes: readonly number[] })[] = [
  { minimumShift: 16, maximumCount: 2_097_152, maximumShift: 26, sizesBytes: [SECTOR, 128 * GIB, 128 * GIB + SECTOR, 256 * GIB - SECTOR, 4096 * GIB] },
  { minimumShift: 12, maximumCount: 1000, maximumShift: 20, sizesBytes: [1000 * 4096, 1000 * 4096 + SECTOR, 2 * 1000 * 4096, 3 * GIB] },
  { minimumShift: 9, maximumCount: 3, maximumShift: 26, sizesBytes: [SECTOR, 3 * SECTOR, 4 * SECTOR, 6 * SECTOR, 7 * SECTOR] },
  { minimumShift: 20, maximumCount: 1, maximumShift: 21, sizesBytes: [1 << 20, (1 << 20) + SECTOR, 7 << 20] },
];

for (const { sizesBytes, ...rule } of rules) {
  const name = `from 2^${rule.minimumShift} to 2^${rule.maximumShift} bytes, ${rule.maximumCount} blocks`;
  test(`the block size follows the parameters: ${name}`, { meta: { spec: ['CBT-01'] } }, async ({ lab }) => {
    const l = await lab({ params: named(rule) });
    for (const capacity of sizesBytes) {
      const size = unitSize(capacity, rule);
      expect(await infoOf(l, capacity), `${capacity} bytes`).toMatchObject({ capacity, block_size: size, block_count: Math.ceil(capacity / size) });
    }
  });
}

test('a change of parameters leaves the map of an attached device alone', { meta: { spec: ['CBT-01', 'CBT-04'] } }, async ({ lab, skip }) => {
  const l = await lab();
  const device = l.disk('data');
  const changed = Object.entries(named({ minimumShift: 20, maximumCount: 5, maximumShift: 22 }));
  const names = await settable(l, changed.map(([name]) => name));
  skip(names.length === 0, NEVER_SET);
  await l.attach(device);
  const info = await device.cbtInfo();
  for (const [name, value] of changed.filter(([each]) => names.includes(each))) await l.sh('echo "$2" > "$1"', `${parameters}/${name}`, `${value}`);
  await (await l.takeSnapshot(device)).destroy();
  expect(await device.cbtInfo()).toEqual({ ...info, changes: 1 });
});

/** What no module can take. */
const wrong: readonly (readonly [parameter: string, value: string])[] = [
  ['tracking_block_minimum_shift', '0'], ['tracking_block_minimum_shift', '64'], ['tracking_block_minimum_shift', '-1'],
  ['tracking_block_maximum_shift', '4294967295'], ['tracking_block_maximum_count', 'many'], ['tracking_block_maximum_count', '-1'],
  // What is 12 in 32 bits.
  ['tracking_block_minimum_shift', '4294967308'], ['chunk_minimum_shift', '4294967308'], ['diff_storage_minimum', '18446744073709551616'],
  ['chunk_minimum_shift', '0'], ['chunk_minimum_shift', '64'], ['chunk_maximum_shift', '64'], ['chunk_maximum_count', '-1'],
  ['diff_storage_minimum', ''],
];

test('a parameter out of range is refused when it is set, with a message', { meta: { spec: ['CBT-01', 'COW-02'] } }, async ({ lab, skip }) => {
  const l = await lab();
  const names = await settable(l, wrong.map(([name]) => name));
  skip(names.length === 0, NEVER_SET);
  for (const [parameter, value] of wrong.filter(([name]) => names.includes(name))) {
    const path = `${parameters}/${parameter}`;
    const before = (await l.guest.readFile(path)).toString();
    const linesBefore = (await l.guest.klog()).length;
    const { exitCode } = await l.guest.attempt(['/bin/busybox', 'sh', '-c', 'echo "$1" > "$2"', 'sh', value, path]);
    expect(exitCode, `${parameter}=${value}`).not.toBe(0);
    expect((await l.guest.klog()).length, `messages of ${parameter}=${value}`).toBeGreaterThan(linesBefore);
    expect((await l.guest.readFile(path)).toString()).toBe(before);
  }
});

test('the module does not load with a parameter out of range, and says which', { meta: { spec: ['CBT-01', 'COW-02', 'SNP-07'] } }, async ({ lab }) => {
  const l = await lab({ loadModule: false });
  for (const [parameter, value] of wrong) {
    const linesBefore = (await l.guest.klog()).length;
    const { exitCode } = await l.guest.attempt(['insmod', '/tmp/blksnap.ko', `${parameter}=${value}`]);
    expect(exitCode, `${parameter}=${value}`).not.toBe(0);
    expect((await l.guest.klog()).slice(linesBefore).map(({ text }) => text).join('\n')).toContain(parameter);
    expect(await l.sh('grep -c ^blksnap /proc/modules || true')).toBe('0');
  }
  await l.loadModule();
});
