/** Old data that cannot be read or stored costs the snapshot and nothing else.
 *  Method: the disk fails what the copy asks for, however often; the write that waited, later writes, the image and the event are looked at. */
import {
  aio, CHUNK, eventually, expect, expectFrozen, freezeSteered, makeLinear, makeSteered, mountExt4, numbersOf, resizeLinear, startAio, test,
  untilStill, writeElsewhere, type Steered,
} from '../fixtures/index.js';
import { pushOut } from './copying.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;
const sectorAt = (chunk: number): number => at(chunk) / SECTOR;

/** The write was done, the image is lost for every reader and the snapshot says why; the device works on without a copy. */
async function expectLost(s: Steered): Promise<void> {
  const { data, disk, image, l, layout, snapshot } = s;
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, data), error_name: 'EIO' });
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
  expect(await data.snapshotInfo()).toMatchObject({ error_name: 'EIO' });
  for (const chunk of [3, 6]) await expect(image.read(at(chunk), SECTOR)).rejects.toMatchObject({ errno: 'EIO' });

  expect(await aio(data, [{ offset: at(8), length: 4096, byte: 0x44 }])).toEqual([4096]);
  expect(disk.requests({ sector: sectorAt(8), sectors: layout.chunk }).map(({ kind, sector }) => [kind, sector])).toEqual([['write', sectorAt(8)]]);
  expect(await data.read(at(8), 4096)).toEqual(Buffer.alloc(4096, 0x44));
  await snapshot.destroy();
}

test('old data that cannot be read: the write succeeds, the snapshot is corrupt', { meta: { spec: ['COW-06', 'EVT-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  s.disk.fail({ kind: 'read', sector: sectorAt(3) }, 'EIO');
  expect(await aio(s.data, [{ offset: at(3, 8), length: 4096 }])).toEqual([4096]);
  expect(await s.data.read(at(3, 8), 4096)).toEqual(Buffer.alloc(4096, 0xee));
  await expectLost(s);
});

test('one piece of the old data that cannot be read costs the whole snapshot', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await s.l.sh('echo 64 > "/sys/block/$1/queue/max_sectors_kb"', s.data.name);
  // In the third of four pieces.
  s.disk.fail({ kind: 'read', sector: sectorAt(3) + 300 }, 'EIO');
  expect(await aio(s.data, [{ offset: at(3, 8), length: 4096 }])).toEqual([4096]);
  await expectLost(s);
});

test('a piece of a large chunk that cannot be read costs the snapshot, though the pieces behind it can', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  // More than one bio holds.
  const s = await freezeSteered(lab, { chunk: 2 * MIB });
  s.disk.fail({ kind: 'read', sector: sectorAt(0) + 300 }, 'EIO');
  expect(await aio(s.data, [{ offset: at(1), length: 4096 }])).toEqual([4096]);
  await expectLost(s);
});

for (const [part, bad] of [['first', at(4, -8)], ['second', at(4)]] as const) {
  test(`what an image reads is an error when its ${part} part cannot be read`, { meta: { spec: ['COW-06', 'IMG-02'] } }, async ({ lab }) => {
    const s = await freezeSteered(lab);
    s.disk.fail({ kind: 'read', sector: bad / SECTOR, sectors: 8 }, 'EIO');
    expect(await aio(s.image, [{ op: 'read', offset: at(4, -8), length: 16 * SECTOR }])).toEqual(['EIO']);
  });
}

test('old data that cannot be stored: the write has passed, the snapshot is corrupt', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  s.store.fail({ kind: 'write' }, 'ENOSPC', Infinity, () => 8);
  expect(await aio(s.data, [{ offset: at(3, 8), length: 4096 }])).toEqual([4096]);
  expect(await s.data.read(at(3, 8), 4096)).toEqual(Buffer.alloc(4096, 0xee));
  // It may lie in the page cache of the storage, and be missed when it is read from there.
  await eventually('the loss of the snapshot', async () => {
    await s.l.sh('blockdev --flushbufs "$1" 2> /dev/null || true', s.l.disk('store').path);
    await s.image.read(at(3), SECTOR).catch(() => undefined);
    return s.data.snapshotInfo();
  }, ({ error }) => error !== 0);
  await expectLost(s);
});

test('a write that waits for two copies goes on when one of them fails and the other has been read', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await writeElsewhere(s);
  s.disk.fail({ kind: 'read', sector: sectorAt(4) }, 'EIO');
  const late = s.disk.hold({ kind: 'read', sector: sectorAt(3) });
  const writer = startAio(s.data, [{ offset: at(4, -8), length: 16 * SECTOR }]);
  await s.disk.first({ kind: 'read', sector: sectorAt(3), sectors: CHUNK / SECTOR + 1 }, 'arrived');
  await writeElsewhere(s, writer);
  late.release();
  expect(await writer.done).toEqual([16 * SECTOR]);
  await expectLost(s);
});

test('what the image reads while the snapshot is lost is right or an error: a write may have been faster', { meta: { spec: ['COW-06', 'COW-01', 'IMG-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.disk.hold({ kind: 'read', sector: sectorAt(3), sectors: CHUNK / SECTOR });
  const reading = expectFrozen(s, 3);
  const read = await hold.next();
  hold.close();
  s.disk.fail({ kind: 'read', sector: sectorAt(5) }, 'EIO');
  expect(await aio(s.data, [{ offset: at(5), length: 4096 }])).toEqual([4096]);
  expect(await s.data.snapshotInfo()).toMatchObject({ error_name: 'EIO' });

  const writer = startAio(s.data, [{ offset: at(3), length: CHUNK, byte: 0x33 }]);
  await untilStill(s.l, 'blkio', writer.done);
  read.release();
  const error = await reading.then(() => undefined, (reason: unknown) => reason);
  if (error !== undefined) expect(error).toMatchObject({ errno: 'EIO' });
  expect(await writer.done).toEqual([CHUNK]);
  await expectLost(s);
});

test('a stored chunk that cannot be read is an I/O error of the image, never other data', { meta: { spec: ['COW-06', 'DIF-05'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await aio(s.data, [{ offset: at(3), length: CHUNK }]);
  await pushOut(s);
  s.store.fail({ kind: 'read' }, 'EIO');
  const error = await expectFrozen(s, 3).catch((reason: unknown) => reason);
  // A module with memory for so many copies need not ask the storage.
  if (s.store.requests({ kind: 'read' }).length === 0) expect(error).toBeUndefined();
  else expect(error).toMatchObject({ errno: 'EIO' });
  expect(await aio(s.data, [{ offset: at(5), length: SECTOR }])).toEqual([SECTOR]);
});

test('what was written to the image and is lost on its way to the disk costs the image, which never goes back to older data', {
  meta: { spec: ['COW-06', 'IMG-03', 'EVT-02'] },
}, async ({ lab }) => {
  const s = await freezeSteered(lab);
  expect(await aio(s.image, [{ offset: at(3, 9), length: 2 * SECTOR, byte: 0x77 }])).toEqual([2 * SECTOR]);
  const written = async (): Promise<Buffer> => s.image.read(at(3, 9), SECTOR);
  expect(await written()).toEqual(Buffer.alloc(SECTOR, 0x77));
  // It is in the storage's page cache by now, or on the disk.
  s.store.fail({ kind: 'write' }, 'EIO', 1);
  const isLost = await s.l.disk('store').flush().then(() => false, (error: unknown) => {
    expect(error).toMatchObject({ errno: 'EIO' });
    return true;
  });
  await s.l.sh('echo 3 > /proc/sys/vm/drop_caches');

  if (!isLost) {
    expect(await written()).toEqual(Buffer.alloc(SECTOR, 0x77));
    return;
  }
  await expect(written()).rejects.toMatchObject({ errno: 'EIO' });
  await expectLost(s);
});

test('a snapshot that is lost while the storage is stuck lets its writers go', { meta: { spec: ['COW-06', 'COW-07', 'COW-10'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab, { make: async (l, disk) => ({ device: await makeLinear(l, 'shrinks', disk, 90 * MIB) }) });
  const hold = s.store.hold({ kind: 'write' });
  // More chunks than there is memory for copies.
  const chunks = Array.from({ length: 300 }, (_, chunk) => ({ offset: at(chunk), length: 4096 }));
  const writer = startAio(s.data, chunks);
  await untilStill(s.l, 'blkio', writer.done);
  await resizeLinear(s.l, 'shrinks', s.l.disk('data'), 85 * MIB);
  // Of a module that goes on with what is left they may have to wait.
  if ((await s.data.snapshotInfo()).error === 0) hold.release();
  expect(await writer.done).toEqual(chunks.map(() => 4096));
  hold.release();
  await s.snapshot.destroy();
});

test('a file system that is frozen is not stored to, and what waits for that ends when it runs again', { meta: { spec: ['COW-01', 'DIF-05'] } }, async ({ lab }) => {
  const { l, data, layout, store } = await makeSteered(lab);
  await mountExt4(l, l.disk('store'), '/mnt/store');
  const snapshot = await l.takeSnapshot(data, { storage: '/mnt/store/diff', limit: '48M' });
  const image = await snapshot.image(data);
  await l.sh('sync; fsfreeze --freeze /mnt/store');
  store.forget();
  const chunks = Array.from({ length: 100 }, (_, chunk) => ({ offset: at(chunk), length: 4096 }));
  const writer = startAio(data, chunks);
  await untilStill(l, 'blkio', writer.done);
  expect(store.requests({ kind: 'write' })).toEqual([]);
  await l.sh('fsfreeze --unfreeze /mnt/store');
  expect(await writer.done).toEqual(chunks.map(() => 4096));
  expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
  await expectFrozen({ image, layout }, 0, 12);
  await snapshot.destroy();
});
