/** Old data that cannot be read or stored costs the snapshot and nothing else.
 *  Method: the disk holds the copy's request and then fails it; the write that waited, later writes, the image and the event are looked at. */
import { aio, CHUNK, expect, freezeSteered, numbersOf, startAio, test, type Steered } from '../fixtures/index.js';

const SECTOR = 512;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;
const sectorAt = (chunk: number): number => at(chunk) / SECTOR;

/** The write was done, the image is lost for every reader and the snapshot says why; the device works on without a copy. */
async function expectLost(s: Steered): Promise<void> {
  const { data, disk, image, l, snapshot } = s;
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, data), error_name: 'EIO' });
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
  expect(await data.snapshotInfo()).toMatchObject({ error_name: 'EIO' });
  for (const chunk of [3, 6]) await expect(image.read(at(chunk), SECTOR)).rejects.toMatchObject({ errno: 'EIO' });

  const { index } = disk.requests().at(-1) as { index: number };
  expect(await aio(data, [{ offset: at(8), length: 4096, byte: 0x44 }])).toEqual([4096]);
  expect(disk.requests().filter((request) => request.index > index).map(({ kind, sector }) => [kind, sector])).toEqual([['write', sectorAt(8)]]);
  expect(await data.read(at(8), 4096)).toEqual(Buffer.alloc(4096, 0x44));
  await snapshot.destroy();
}

test('old data that cannot be read: the write succeeds, the snapshot is corrupt', { meta: { spec: ['COW-06', 'EVT-02'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.disk.hold({ kind: 'read', sector: sectorAt(3) });
  const writer = startAio(s.data, [{ offset: at(3, 8), length: 4096 }]);
  const read = await hold.next();
  hold.close();
  read.fail('EIO');
  expect(await writer.done).toEqual([4096]);
  expect(await s.data.read(at(3, 8), 4096)).toEqual(Buffer.alloc(4096, 0xee));
  await expectLost(s);
});

test('one piece of the old data that cannot be read costs the whole snapshot', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await s.l.sh('echo 64 > "/sys/block/$1/queue/max_sectors_kb"', s.data.name);
  const hold = s.disk.hold({ kind: 'read', sector: sectorAt(3), sectors: CHUNK / SECTOR });
  const writer = startAio(s.data, [{ offset: at(3, 8), length: 4096 }]);
  const pieces = [await hold.next(), await hold.next(), await hold.next(), await hold.next()];
  pieces[2]?.fail('EIO');
  hold.release();
  expect(await writer.done).toEqual([4096]);
  await expectLost(s);
});

test('old data that cannot be stored: the write has passed, the snapshot is corrupt', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.store.hold({ kind: 'write' });
  expect(await aio(s.data, [{ offset: at(3, 8), length: 4096 }])).toEqual([4096]);
  const stored = await hold.next();
  hold.close();
  stored.fail('ENOSPC', 8);
  expect(await s.data.read(at(3, 8), 4096)).toEqual(Buffer.alloc(4096, 0xee));
  await expectLost(s);
});

test('a write that waits for two copies goes on when one of them fails and the other has been read', { meta: { spec: ['COW-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const [first, second] = [3, 4].map((chunk) => s.disk.hold({ kind: 'read', sector: sectorAt(chunk) }));
  const writer = startAio(s.data, [{ offset: at(4, -8), length: 16 * SECTOR }]);
  const [late, failing] = [await first?.next(), await second?.next()];
  for (const hold of [first, second]) hold?.close();
  failing?.fail('EIO');
  expect(await aio(s.data, [{ offset: at(7), length: SECTOR }])).toEqual([SECTOR]);
  late?.release();
  expect(await writer.done).toEqual([16 * SECTOR]);
  await expectLost(s);
});

test('a stored chunk that cannot be read is an I/O error of the image, never other data', { meta: { spec: ['COW-06', 'DIF-05'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await aio(s.data, [{ offset: at(3), length: CHUNK }]);
  await s.store.first({ kind: 'write' });
  s.store.fail({ kind: 'read' }, 'EIO');
  // Until the copy's memory is given back, the image may answer from there.
  for (let tries = 0; s.store.requests({ kind: 'read' }).length === 0 && tries < 100; tries++) await s.image.read(at(3), SECTOR).catch(() => undefined);
  await expect(s.image.read(at(3), SECTOR)).rejects.toMatchObject({ errno: 'EIO' });
  expect(await aio(s.data, [{ offset: at(5), length: SECTOR }])).toEqual([SECTOR]);
});

test('what was written to the image and is lost on its way to the disk costs the image, which never goes back to older data', {
  meta: { spec: ['COW-06', 'IMG-03', 'EVT-02'] },
}, async ({ lab }) => {
  const s = await freezeSteered(lab);
  expect(await aio(s.image, [{ offset: at(3, 9), length: 2 * SECTOR, byte: 0x77 }])).toEqual([2 * SECTOR]);
  expect((await s.image.read(at(3, 9), SECTOR)).equals(Buffer.alloc(SECTOR, 0x77))).toBe(true);
  // It is in the storage's page cache by now.
  s.store.fail({ kind: 'write' }, 'EIO', 1);
  await expect(s.l.disk('store').flush()).rejects.toMatchObject({ errno: 'EIO' });
  await s.l.sh('echo 3 > /proc/sys/vm/drop_caches');

  await expect(s.image.read(at(3, 9), SECTOR)).rejects.toMatchObject({ errno: 'EIO' });
  await expectLost(s);
});
