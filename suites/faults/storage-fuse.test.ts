/** A difference storage whose file system answers short, with errors, late or never again: the image fails, the device has what was written,
 *  and destroy ends. Method: the file system is a program of the test's, which answers the n-th request of a kind as it is told. */
import {
  aio, CHUNK, expect, filledSectors, ifItComes, limit, mountFuseStore, startAio, sumOf, sumsOf, test,
  type Device, type FuseHow, type FuseOp, type FuseStore, type Lab, type Snapshot,
} from '../fixtures/index.js';
import { copyOthers, expectTold, fileLab, lookAtChunks, overwrite, SECTOR } from './storage-file.js';

interface OnFuse {
  readonly l: Lab;
  readonly store: FuseStore;
  readonly data: Device;
  readonly snapshot: Snapshot;
  readonly image: Device;
}

async function freezeOnFuse(lab: (options: typeof fileLab) => Promise<Lab>): Promise<OnFuse> {
  const l = await lab(fileLab);
  const store = await mountFuseStore(l);
  const data = l.disk('data');
  await data.fill(1);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: store.file, limit: '8M' });
  return { l, store, data, snapshot, image: await snapshot.image(data) };
}

async function expectDeviceRight({ data, snapshot }: OnFuse): Promise<void> {
  await snapshot.destroy();
  await data.fill(2);
  await expect(await data.hostSectors()).toHoldSectorsOf(filledSectors(await data.size(), 2));
}

const stores: readonly { nth: number; how: FuseHow }[] = [
  { nth: 1, how: 'short' }, { nth: 2, how: 'short' }, { nth: 2, how: 'EIO' }, { nth: 1, how: 'EIO' }, { nth: 1, how: 'ENOSPC' }, { nth: 1, how: 'die' },
];

for (const { nth, how } of stores) {
  test(`a store whose write ${nth} is answered ${how} costs the image at most, and nothing else`, { timeout: limit(120_000), meta: { spec: ['DIF-05', 'COW-06'] } }, async ({ lab, faults }) => {
    const s = await freezeOnFuse(lab);
    await s.store.fail('write', nth, how);
    expect(await overwrite(s.data, 3, 1)).toEqual([4096]);
    await copyOthers(s.data);
    const hit = await s.store.hit();
    const verdict = await lookAtChunks(s, [0, 3, 6, 16, 17, 23]);
    await expectTold(s);
    await expectDeviceRight(s);
    faults.record({ kind: 'io', operation: 'store to a file system of a program', point: `write ${nth}: ${how}`, hit, verdict });
  });
}

const NO_REQUEST = 'this module has no such request for its storage here';

for (const how of ['short', 'broken', 'die'] as const) {
  test(`a stored chunk whose read is answered ${how} is an I/O error of the image`, { timeout: limit(120_000), meta: { spec: ['DIF-05', 'COW-06'] } }, async ({ lab, faults, skip }) => {
    const s = await freezeOnFuse(lab);
    for (const chunk of [3, 5]) expect(await overwrite(s.data, chunk, 1)).toEqual([4096]);
    await copyOthers(s.data);
    await s.store.fail('read', 1, how);
    // Until the copy's memory is given back, the image may answer from there.
    let ended = 'right data';
    for (let sector = 8; ended === 'right data' && sector < CHUNK / SECTOR; sector += 8) {
      const seen = await s.image.read(3 * CHUNK + sector * SECTOR, SECTOR).catch((error: { errno?: string }) => error.errno ?? 'no errno');
      if (typeof seen === 'string') ended = seen;
      else expect(sumsOf(seen)[0]).toBe(sumOf({ device: 1, sector: 3 * CHUNK / SECTOR + sector, version: 1 }));
    }
    const hit = await ifItComes(s.store.hit());
    if (hit === undefined) return skip(NO_REQUEST);
    // Once is no more than once: who reads it again may get it.
    expect(how === 'short' ? ['EIO', 'right data'] : ['EIO']).toContain(ended);
    expect(await overwrite(s.data, 7, 1)).toEqual([4096]);
    await expectDeviceRight(s);
    faults.record({ kind: 'io', operation: 'read from a file system of a program', point: how, hit, verdict: ended });
  });
}

test('a store that stalls and goes on is as if nothing had been', { timeout: limit(120_000), meta: { spec: ['DIF-05', 'COW-01', 'IMG-02'] } }, async ({ lab, faults }) => {
  const s = await freezeOnFuse(lab);
  await s.store.fail('write', 1, 'stall');
  expect(await overwrite(s.data, 3, 1)).toEqual([4096]);
  const hit = await s.store.hit();
  // Others are stored meanwhile, and this one is read from memory.
  expect(await overwrite(s.data, 5, 2)).toEqual([4096, 4096]);
  await expect(await s.image.sectorsAt(3 * CHUNK, CHUNK)).toHoldSectorsOf({ what: 'version 1', sums: filledSectors(4 * CHUNK, 1).sums.slice(3 * CHUNK / SECTOR) });
  s.store.go();
  await expect(await s.image.sectors()).toHoldSectorsOf(filledSectors(await s.data.size(), 1));
  await expectDeviceRight(s);
  faults.record({ kind: 'stall', operation: 'store to a file system of a program', point: 'write 1, then goes on', hit, verdict: 'the image is right' });
});

test('destroy ends when the program of a stalled store dies', { timeout: limit(120_000), meta: { spec: ['SNP-01', 'COW-06', 'SNP-06'] } }, async ({ lab, faults }) => {
  const s = await freezeOnFuse(lab);
  await s.store.fail('write', 1, 'stall');
  const writer = startAio(s.data, [{ offset: 3 * CHUNK, length: 4096 }]);
  const hit = await s.store.hit();
  expect(await writer.done).toEqual([4096]);
  const destroyed = s.snapshot.destroy();
  await s.store.die();
  await destroyed;
  expect(await aio(s.data, [{ offset: 3 * CHUNK, length: 4096 }])).toEqual([4096]);
  faults.record({ kind: 'stall', operation: 'destroy', point: 'a store stalls, its program dies', hit, verdict: 'destroyed' });
});

/** Growth and the end of the storage. */
const others: readonly { op: FuseOp; how: FuseHow }[] = [
  { op: 'allocate', how: 'EIO' }, { op: 'allocate', how: 'die' }, { op: 'truncate', how: 'EIO' }, { op: 'truncate', how: 'die' },
];

for (const { op, how } of others) {
  test(`${op === 'allocate' ? 'growth' : 'giving back'} that is answered ${how} leaves the device right, and destroy ends`, {
    timeout: limit(120_000), meta: { spec: ['DIF-02', 'DIF-06', 'COW-06'] },
  }, async ({ lab, faults, skip }) => {
    const s = await freezeOnFuse(lab);
    await s.store.fail(op, 1, how);
    // Nine chunks are more than the two megabytes that there are at first.
    if (op === 'allocate') for (let chunk = 0; chunk < 9; chunk++) expect(await overwrite(s.data, chunk, 1)).toEqual([4096]);
    const verdict = await lookAtChunks(s, [0, 8, 12]);
    await expectTold(s);
    await expectDeviceRight(s);
    const hit = await ifItComes(s.store.hit());
    // Space can be given back in more than one way.
    if (hit === undefined && op === 'truncate') return skip(NO_REQUEST);
    faults.record({ kind: 'io', operation: op === 'allocate' ? 'growth' : 'destroy', point: `${op}: ${how}`, hit: hit ?? '', verdict: `${verdict}; the device is right, destroyed` });
  });
}

test('writers that wait for space go on when it comes, though nothing else ends meanwhile', { timeout: limit(120_000), meta: { spec: ['DIF-02', 'COW-04'] } }, async ({ lab, faults }) => {
  const s = await freezeOnFuse(lab);
  // There is no memory for it until all copies that there is room for are stored.
  await s.store.fail('allocate', 1, 'late');
  expect(await overwrite(s.data, 0, 12)).toEqual(Array.from({ length: 12 }, () => 4096));
  const hit = await s.store.hit();
  const verdict = await lookAtChunks(s, [0, 7, 8, 11, 12]);
  await expectTold(s);
  await expectDeviceRight(s);
  faults.record({ kind: 'allocation', operation: 'growth', point: 'until nothing else is on its way', hit, verdict });
});

test('writers that wait for space that never comes go on, and the snapshot is lost', { timeout: limit(60_000), meta: { spec: ['DIF-03', 'COW-06'] } }, async ({ lab, faults }) => {
  const s = await freezeOnFuse(lab);
  await s.store.fail('allocate', 1, 'poor');
  expect(await overwrite(s.data, 0, 12)).toEqual(Array.from({ length: 12 }, () => 4096));
  const hit = await s.store.hit();
  // Who asks for nothing has room for all.
  if (hit !== '') expect((await s.data.snapshotInfo()).error_name).not.toBeNull();
  const verdict = await lookAtChunks(s, [0, 7, 8, 11, 12]);
  await expectTold(s);
  await expectDeviceRight(s);
  faults.record({ kind: 'allocation', operation: 'growth', point: 'for ever', hit, verdict });
});
