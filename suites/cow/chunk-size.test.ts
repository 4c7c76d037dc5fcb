/** The chunk is what the parameters make it: the smallest power of two that keeps the number of chunks within its limit.
 *  Method: after the cut, overwrite one sector, and count what is read of the device for its copy. */
import { dataDisk, expect, test, type Device, type Lab } from '../fixtures/index.js';
import { unitSize, type Granularity } from '../oracle/cbt.js';

const SECTOR = 512;
const rules: readonly Granularity[] = [
  { minimumShift: 12, maximumCount: 2_097_152, maximumShift: 26 },
  { minimumShift: 12, maximumCount: 65, maximumShift: 26 },
  { minimumShift: 12, maximumCount: 64, maximumShift: 26 },
  { minimumShift: 12, maximumCount: 1, maximumShift: 20 },
  { minimumShift: 22, maximumCount: 2_097_152, maximumShift: 26 },
];

/** Sectors read of a device since it is there, by all. */
async function sectorsRead(l: Lab, device: Device): Promise<number> {
  return Number((await l.sh('cat "/sys/class/block/$1/stat"', device.name)).trim().split(/\s+/)[2]);
}

for (const rule of rules) {
  const name = `from 2^${rule.minimumShift} to 2^${rule.maximumShift} bytes, ${rule.maximumCount} chunks`;
  test(`the chunk size follows the parameters: ${name}`, { meta: { spec: ['COW-02'] } }, async ({ lab }) => {
    const l = await lab({ params: {
      chunk_minimum_shift: rule.minimumShift, chunk_maximum_count: rule.maximumCount, chunk_maximum_shift: rule.maximumShift,
    } });
    const data = l.disk('data');
    await l.attach(data);
    await l.takeSnapshot(data);
    const size = unitSize(dataDisk.sizeBytes, rule);
    const start = Math.floor(dataDisk.sizeBytes / 2 / size) * size;

    for (const [offset, copied] of [[start, size], [dataDisk.sizeBytes - SECTOR, dataDisk.sizeBytes % size]] as const) {
      const before = await sectorsRead(l, data);
      await data.write(offset, Buffer.alloc(SECTOR, 1));
      expect(((await sectorsRead(l, data)) - before) * SECTOR, `at ${offset}`).toBe(copied);
    }
  });
}
