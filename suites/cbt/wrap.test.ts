/** When the number would pass 255, map and number start again under a new UUID, and no change is lost to who looks at it.
 *  Method: take 255 times in a shell loop of the guest, writing in the last rounds, and follow the model through the wrap. */
import { dataDisk, expect, playWrites, storeDisk, test, type Device, type Lab } from '../fixtures/index.js';
import { CbtModel } from '../oracle/cbt.js';

const SECTOR = 512;
const BLOCK = 64 * 1024;

const takeManyScript = `
for i in $(seq "$1"); do
  id=$(blksnapctl snapshot create --storage "$2"); id=\${id#*:\\"}; id=\${id%%\\"*}
  blksnapctl snapshot add "$id" "$3" > /dev/null
  blksnapctl snapshot take "$id" > /dev/null
  blksnapctl snapshot destroy "$id" > /dev/null
done`;

/** Bytes, when nothing is cached, with the pages that each CPU has at hand: MemFree leaves those out, and they may be 45 MiB. */
async function freeMemory(l: Lab): Promise<number> {
  const pages = 'echo 3 > /proc/sys/vm/drop_caches; awk \'$1 == "count:" { n += $2 } $1 == "pages" && $2 == "free" { n += $3 } END { print n }\' /proc/zoneinfo';
  return 4096 * Number(await l.sh(pages));
}

const BATCH = 50;

/** Takes and destroys so many snapshots. */
async function takeMany(l: Lab, device: Device, model: CbtModel, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    await l.sh(takeManyScript, `${Math.min(left, BATCH)}`, l.disk('store').path, device.path);
  }
  for (let round = 0; round < count; round++) model.take();
}

test('the take after number 255 starts a new generation, in which no mark is lost; by then no memory is', { meta: { spec: ['CBT-03', 'CBT-04', 'CBT-11', 'SNP-06'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, storeDisk] });
  const device = l.disk('data');
  const model = new CbtModel(dataDisk.sizeBytes);
  const write = async (block: number): Promise<void> => {
    await playWrites(device, [{ offset: block * BLOCK, length: SECTOR }]);
    model.mark(block * BLOCK, SECTOR);
  };
  await l.attach(device);
  const { generation: first } = await device.cbtInfo();
  await write(1);
  await takeMany(l, device, model, 13);
  const before = await freeMemory(l);
  await takeMany(l, device, model, 240);
  // A chunk of each snapshot that is not given back would be 60 MiB by now. KASAN keeps up to 24 MiB.
  expect(before - await freeMemory(l), 'bytes that are gone for good').toBeLessThan(32 * 1024 * 1024);
  await write(2);
  await takeMany(l, device, model, 1);
  expect(await device.cbtInfo()).toMatchObject({ generation: first, changes: 254 });
  expect(await device.cbtMap()).toMark(model.frozen);

  await write(3);
  await takeMany(l, device, model, 1);
  const { generation: second, changes } = await device.cbtInfo();
  expect(second).not.toBe(first);
  expect(changes).toBe(model.takenNumber);
  expect(await device.cbtMap()).toMark(model.frozen);

  await write(4);
  await takeMany(l, device, model, 1);
  await write(5);
  await takeMany(l, device, model, 1);
  expect(await device.cbtInfo()).toMatchObject({ generation: second, changes: 2 });
  expect(await device.cbtMap()).toMark(model.frozen);
});
