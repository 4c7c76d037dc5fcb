/** Nothing gets into the storage but what the device held at its place: no page is stored with what memory held before.
 *  Method: copies of other chunks leave their data in memory; then the last chunk is stored, which ends within a page. On the storage's
 *  disk nothing of the others may follow it. A few rounds, since memory is not always taken again where it was left. */
import { eventually, expect, filledSectors, ifItComes, test, type Device } from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const CHUNK = 256 * 1024;
const CAPACITY = 16 * MIB + 3 * SECTOR;
const PAGE_SECTORS = 8;
const ROUNDS = 4;

/** The sector of the storage that holds this, when it does; undefined when it does not in ten seconds. */
async function storedAt(store: Device, sum: number): Promise<number | undefined> {
  const find = async () => (await store.hostSectors()).sums.indexOf(sum);
  return ifItComes(eventually('the copy on the storage', find, (at) => at >= 0, 10_000));
}

test('behind the end of the device nothing is stored that memory held', { meta: { spec: ['DIF-06'] } }, async ({ lab, skip }) => {
  const l = await lab();
  const [data, store] = [l.disk('data'), l.disk('store')];
  await l.attach(data);
  for (let round = 1; round <= ROUNDS; round++) {
    await data.fill(round);
    const { sums } = filledSectors(CAPACITY, round);
    const snapshot = await l.takeSnapshot(data, { storage: store.path });

    for (let chunk = 0; chunk < 16; chunk++) await data.write(chunk * CHUNK, new Uint8Array(SECTOR).fill(0xee));
    const before = await storedAt(store, sums[15 * CHUNK / SECTOR] ?? 0);
    await data.write(CAPACITY - SECTOR, new Uint8Array(SECTOR).fill(0xee));
    const last = await storedAt(store, sums.at(-1) ?? 0);

    skip(before === undefined || last === undefined, 'the module keeps copies in memory, or stores them in a way of its own');
    const rest = (await store.hostSectors()).sums.subarray(Number(last) + 1).subarray(0, PAGE_SECTORS - sums.length % PAGE_SECTORS);
    expect([...rest].filter((sum) => sums.includes(sum)), 'what follows the last sector').toEqual([]);
    await snapshot.destroy();
  }
});
