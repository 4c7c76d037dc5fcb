/** A writer that must not wait never does: it is told EAGAIN and nothing of its data is written, or it need not wait.
 *  Method: the copy that it would wait for is held at the disk; what reached the disk is read off its log. */
import { aio, CHUNK, expect, expectFrozen, freezeSteered, startAio, test } from '../fixtures/index.js';

const SECTOR = 512;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;
const range = { sector: at(3) / SECTOR, sectors: 2 * CHUNK / SECTOR };

test('a NOWAIT write to a chunk that nobody has copied is refused, and sends nothing to the device', { meta: { spec: ['COW-04'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  expect(await aio(s.data, [{ offset: at(3, 8), length: 4096 }], { nowait: true })).toEqual(['EAGAIN']);
  expect(s.disk.requests({ kind: 'write', ...range })).toEqual([]);
  expect(await aio(s.data, [{ offset: at(3, 8), length: 4096 }])).toEqual([4096]);
  expect(s.disk.requests({ kind: 'write', ...range })).toHaveLength(1);
  await expectFrozen(s, 3);
});

test('a NOWAIT write is refused while another\'s copy of its chunk is on its way, and passes when the old data is in memory', { meta: { spec: ['COW-04'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const copy = s.disk.hold({ kind: 'read', sector: range.sector });
  const storing = s.store.hold({ kind: 'write' });
  const writer = startAio(s.data, [{ offset: at(3, 8), length: 4096 }]);
  await copy.next();
  expect(await aio(s.data, [{ offset: at(3, 64), length: 4096 }, { offset: at(3, 8), length: SECTOR }], { nowait: true })).toEqual(['EAGAIN', 'EAGAIN']);
  expect(s.disk.requests({ kind: 'write', ...range })).toEqual([]);

  copy.release();
  expect(await writer.done).toEqual([4096]);
  expect(await aio(s.data, [{ offset: at(3, 64), length: 4096, byte: 1 }], { nowait: true })).toEqual([4096]);
  storing.release();
  await expectFrozen(s, 3);
});

test('a NOWAIT write over a copied chunk and one that is not is refused whole', { meta: { spec: ['COW-04'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  await aio(s.data, [{ offset: at(3), length: CHUNK, byte: 1 }]);
  const before = s.disk.requests({ kind: 'write', ...range });
  expect(await aio(s.data, [{ offset: at(4, -8), length: 16 * SECTOR, byte: 2 }], { nowait: true })).toEqual(['EAGAIN']);
  expect(s.disk.requests({ kind: 'write', ...range })).toEqual(before);
  expect(await s.data.read(at(4, -8), 8 * SECTOR)).toEqual(Buffer.alloc(8 * SECTOR, 1));
  await expectFrozen(s, 3, 2);
});
