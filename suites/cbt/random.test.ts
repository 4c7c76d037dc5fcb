/** Whatever is written, however and from however many processes, the map tells exactly it.
 *  Method: fio logs what it writes; the model marks the same, and the maps must be equal. */
import { dataDisk, expect, recordWrites, test, type FioOptions } from '../fixtures/index.js';
import { CbtModel, type Granularity } from '../oracle/cbt.js';

const params = { tracking_block_minimum_shift: 12 };
const rule: Granularity = { minimumShift: 12, maximumCount: 2_097_152, maximumShift: 26 };

const ways: readonly { readonly what: string; readonly options: FioOptions; readonly jobs?: number }[] = [
  { what: 'random writes by four jobs', jobs: 4, options: { rw: 'randwrite', bsrange: '512-32k', blockalign: 512, number_ios: 150 } },
  { what: 'four jobs in the same few blocks', jobs: 4, options: { rw: 'randwrite', bs: 512, size: '256k', norandommap: 1, number_ios: 300 } },
  { what: 'sequential writes of 1 MiB', options: { rw: 'write', bs: '1m', offset: 512, size: '9m' } },
  { what: 'io_uring', options: { ioengine: 'io_uring', rw: 'randwrite', bs: '4k', number_ios: 200 } },
  { what: 'buffered writes of whole pages', options: { direct: 0, ioengine: 'psync', iodepth: 1, rw: 'randwrite', bs: '4k', number_ios: 200, end_fsync: 1 } },
  { what: 'synchronous writes', options: { ioengine: 'psync', iodepth: 1, sync: 'dsync', rw: 'randwrite', bs: '1k', number_ios: 60 } },
];

for (const { what, options, jobs = 1 } of ways) {
  test(`the map tells what was written: ${what}`, { meta: { spec: ['CBT-02', 'CBT-10', 'FLT-13'] } }, async ({ lab, random }) => {
    const l = await lab({ params });
    const device = l.disk('data');
    const model = new CbtModel(dataDisk.sizeBytes, rule);
    await l.attach(device);
    for (let round = 0; round < 2; round++) {
      const writes = await recordWrites(device, { size: '16m', ...options, randseed: 1 + random.below(1e6) }, jobs);
      for (const { offset, length } of writes) model.mark(offset, length);
      const snapshot = await l.takeSnapshot(device);
      model.take();
      expect(await device.cbtMap()).toMark(model.frozen);
      await snapshot.destroy();
    }
  });
}

test('what is written through a memory mapping is marked, page by page', { meta: { spec: ['CBT-02', 'FLT-13'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes, rule);
  await l.attach(device);
  // Not by fio: its mmap engine punches the whole mapping first.
  const offsets = Array.from({ length: 40 }, () => random.below(16 << 20));
  const stores = offsets.flatMap((offset) => ['-c', `mwrite -S 0x5a ${offset} 1`]);
  await l.guest.run(['xfs_io', '-c', 'mmap -rw 0 16m', ...stores, '-c', 'msync -s', device.path]);
  for (const offset of offsets) model.mark(offset, 1);
  await l.takeSnapshot(device);
  model.take();
  expect(await device.cbtMap()).toMark(model.frozen);
});
