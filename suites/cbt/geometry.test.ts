/** The block size is the smallest power of two that keeps the map within its limits, and the limits are the parameters.
 *  Method: attach to sparse devices of chosen sizes under chosen parameters, and compare cbt info with the rule. */
import { expect, test, type Lab } from '../fixtures/index.js';
import { unitSize, type Granularity } from '../oracle/cbt.js';

const SECTOR = 512;
const GIB = 1024 ** 3;
const parameters = '/sys/module/blksnap/parameters';

async function setParameters(l: Lab, rule: Granularity): Promise<void> {
  const values = { minimum_shift: rule.minimumShift, maximum_count: rule.maximumCount, maximum_shift: rule.maximumShift };
  for (const [name, value] of Object.entries(values)) await l.sh(`echo ${value} > ${parameters}/tracking_block_${name}`);
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
    const l = await lab();
    await setParameters(l, rule);
    for (const capacity of sizesBytes) {
      const size = unitSize(capacity, rule);
      expect(await infoOf(l, capacity), `${capacity} bytes`).toMatchObject({ capacity, block_size: size, block_count: Math.ceil(capacity / size) });
    }
  });
}

test('parameters given when the module is loaded count', { meta: { spec: ['CBT-01'] } }, async ({ lab }) => {
  const rule = { minimumShift: 13, maximumCount: 100, maximumShift: 15 };
  const l = await lab({ params: { tracking_block_minimum_shift: 13, tracking_block_maximum_count: 100, tracking_block_maximum_shift: 15 } });
  const { capacity, block_size: size } = await infoOf(l, 300 * 8192);
  expect(size).toBe(unitSize(capacity, rule));
});

test('a change of parameters leaves the map of an attached device alone', { meta: { spec: ['CBT-01', 'CBT-04'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const info = await device.cbtInfo();
  await setParameters(l, { minimumShift: 20, maximumCount: 5, maximumShift: 22 });
  await (await l.takeSnapshot(device)).destroy();
  expect(await device.cbtInfo()).toEqual({ ...info, changes: 1 });
});

const wrong: readonly (readonly [parameter: string, value: string])[] = [
  ['tracking_block_minimum_shift', '8'], ['tracking_block_minimum_shift', '0'], ['tracking_block_minimum_shift', '64'],
  ['tracking_block_maximum_shift', '8'], ['tracking_block_maximum_shift', '4294967295'], ['tracking_block_maximum_count', '0'],
  ['chunk_minimum_shift', '3'], ['chunk_minimum_shift', '40'], ['chunk_maximum_shift', '64'], ['chunk_maximum_count', '0'],
  ['diff_storage_minimum', '0'], ['tracking_block_minimum_shift', '-1'], ['tracking_block_maximum_count', 'many'],
  ['chunk_maximum_count', '4294967296'], ['diff_storage_minimum', ''],
];

test('a parameter out of range is refused when it is set, with a message that names it', { meta: { spec: ['CBT-01', 'COW-02'] } }, async ({ lab }) => {
  const l = await lab();
  for (const [parameter, value] of wrong) {
    const path = `${parameters}/${parameter}`;
    const before = (await l.guest.readFile(path)).toString();
    const linesBefore = (await l.guest.klog()).length;
    const { exitCode, stderr } = await l.guest.attempt(['/bin/busybox', 'sh', '-c', 'echo "$1" > "$2"', 'sh', value, path]);
    expect(exitCode, `${parameter}=${value}`).not.toBe(0);
    expect(stderr.toString(), `${parameter}=${value}`).toMatch(/Invalid argument|out of range/);
    const message = (await l.guest.klog()).slice(linesBefore).map(({ text }) => text).join('\n');
    expect(message, `${parameter}=${value}`).toContain(parameter);
    expect((await l.guest.readFile(path)).toString()).toBe(before);
  }
});

test('the module does not load with a parameter out of range, and says which', { meta: { spec: ['CBT-01', 'SNP-07'] } }, async ({ lab }) => {
  const l = await lab({ loadModule: false });
  await expect(l.loadModule({ tracking_block_minimum_shift: 5 })).rejects.toThrow();
  expect((await l.guest.klog()).map(({ text }) => text).join('\n')).toMatch(/blksnap: tracking_block_minimum_shift/);
  expect(await l.sh('grep -c ^blksnap /proc/modules || true')).toBe('0');
  await l.loadModule();
});
