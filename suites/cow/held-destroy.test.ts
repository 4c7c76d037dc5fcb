/** A write that waits for a copy is finished before its snapshot is gone, and never carried into the next.
 *  Method: the disk holds the copy's read, or the write itself, while the snapshot is destroyed and the next one taken. */
import {
  aio, CHUNK, expect, expectFrozen, freezeSteered, startAio, startStuck, test, untilStill, whileSyncing, type Steered,
} from '../fixtures/index.js';

const SECTOR = 512;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;
const range = { sector: at(3) / SECTOR, sectors: CHUNK / SECTOR };

/** Destroys the snapshot and takes the next; tells what the disk had done with the chunk's writes when the first was gone. */
async function destroyAndTake({ l, data, disk, snapshot }: Steered) {
  await snapshot.destroy();
  const writes = disk.requests({ kind: ['write', 'discard'], ...range }).map(({ answered }) => answered !== undefined);
  return { next: await l.takeSnapshot(data), writes };
}

async function expectStable({ data, image }: Pick<Steered, 'data' | 'image'>, first: Buffer): Promise<void> {
  expect(await image.read(at(3), CHUNK)).toEqual(first);
  await aio(data, [{ offset: at(3), length: CHUNK, byte: 0x77 }]);
  expect(await image.read(at(3), CHUNK)).toEqual(first);
}

test('writes that wait for a copy are done when their snapshot is gone, and are in the next one\'s image', { meta: { spec: ['SNP-09', 'COW-09'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.disk.hold({ kind: 'read', ...range });
  const writers = [startAio(s.data, [{ offset: at(3, 8), length: 4096, byte: 0x11 }]), startAio(s.data, [{ offset: at(3, 64), length: SECTOR, byte: 0x12 }])];
  await hold.next();
  await untilStill(s.l, 'blkio', Promise.all(writers.map(({ submitted }) => submitted)));

  const ended = destroyAndTake(s);
  // The other way round would be in time as well: what matters is that destroy has begun while the writes wait.
  await s.l.sh('true');
  hold.release();
  const { next, writes } = await ended;
  expect(writes).toEqual([true, true]);
  expect(await Promise.all(writers.map(({ done }) => done))).toEqual([[4096], [SECTOR]]);

  const image = await next.image(s.data);
  const first = await image.read(at(3), CHUNK);
  expect(first.subarray(8 * SECTOR, 16 * SECTOR)).toEqual(Buffer.alloc(4096, 0x11));
  expect(first.subarray(64 * SECTOR, 65 * SECTOR)).toEqual(Buffer.alloc(SECTOR, 0x12));
  expect(first).toEqual(await s.data.read(at(3), CHUNK));
  await expectStable({ data: s.data, image }, first);
});

test('a write of the old snapshot that is in flight is waited for by the next take', { meta: { spec: ['SNP-09'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.disk.hold({ kind: 'write', ...range });
  const writer = startAio(s.data, [{ offset: at(3, 8), length: 4096, byte: 0x11 }]);
  await hold.next();
  hold.close();
  let isTaken = false;
  const ended = destroyAndTake(s).finally(() => { isTaken = true; });
  await untilStill(s.l, 'blksnapctl', ended);
  expect(isTaken, 'taken while a write is in flight').toBe(false);

  hold.release();
  const { next } = await ended;
  expect(await writer.done).toEqual([4096]);
  const image = await next.image(s.data);
  await expectStable({ data: s.data, image }, await image.read(at(3), CHUNK));
});

test('a snapshot destroyed while its copies are being read and stored leaves nothing of them', { meta: { spec: ['SNP-09', 'DIF-06'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const reads = s.disk.hold({ kind: 'read', sector: at(5) / SECTOR });
  const stores = s.store.hold({ kind: 'write' });
  expect(await aio(s.data, [{ offset: at(3), length: CHUNK }])).toEqual([CHUNK]);
  await whileSyncing(s.l, stores.next());
  const writer = startAio(s.data, [{ offset: at(5), length: CHUNK, byte: 0x11 }]);
  // A module may have memory for one copy only, which is not free yet: then no read comes.
  await untilStill(s.l, 'blkio', writer.done);

  const ended = destroyAndTake(s);
  await s.l.sh('true');
  for (const hold of [reads, stores]) {
    hold.caught[0]?.fail('EIO');
    hold.release();
  }
  const { next } = await ended;
  expect(await writer.done).toEqual([CHUNK]);
  expect(await s.data.snapshotInfo(), 'the next snapshot is not concerned').toMatchObject({ error: 0 });
  const image = await next.image(s.data);
  expect(await image.read(at(5), CHUNK)).toEqual(Buffer.alloc(CHUNK, 0x11));
  await expectStable({ data: s.data, image }, await image.read(at(3), CHUNK));
});

test('writers that wait for a storage that hangs go on when the snapshot is being destroyed, though its image is in use', { meta: { spec: ['SNP-09', 'IMG-04'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.store.hold({});
  const user = startAio(s.image, [{ offset: at(5), length: 4096, byte: 0x66 }]);
  await untilStill(s.l, 'blkio', user.done);
  // More chunks than there is memory for copies.
  const chunks = Array.from({ length: 300 }, (_, chunk) => ({ offset: at(8 + chunk), length: 4096 }));
  const writer = startAio(s.data, chunks);
  await untilStill(s.l, 'blkio', writer.done);

  const { command: destroy } = await startStuck(s.l, 'exec blksnapctl snapshot destroy "$1"', s.snapshot.id);
  expect(await writer.done).toEqual(chunks.map(() => 4096));
  hold.release();
  expect([4096, 'EIO']).toContain((await user.done)[0]);
  expect((await destroy.result).exitCode).toBe(0);
  s.snapshot.isDestroyed = true;
});

for (const [stuck, other] of [['data', 'second'], ['second', 'data']] as const) {
  test(`while destroy waits for who reads the image of ${stuck}, that of ${other} is right or gone`, { meta: { spec: ['SNP-05', 'COW-01', 'IMG-04'] } }, async ({ lab }) => {
    const { l, snapshot, layout } = await freezeSteered(lab, { with: 'second' });
    const hold = l.programmable(stuck).hold({ kind: 'read' });
    const reader = startAio(await snapshot.image(l.disk(stuck)), [{ op: 'read', offset: at(3), length: 4096 }]);
    const image = await snapshot.image(l.disk(other));
    await hold.next();
    hold.close();
    const { command: destroy } = await startStuck(l, 'exec blksnapctl snapshot destroy "$1"', snapshot.id);

    const writer = startAio(l.disk(other), [{ offset: at(5), length: CHUNK }]);
    await untilStill(l, 'blkio', writer.done);
    const seen = expectFrozen({ image, layout }, 5).then(() => 'right', (error: unknown) => error);
    await untilStill(l, 'blkio', seen);
    hold.release();
    // Whoever comes too late does not find it.
    if (await seen !== 'right') expect(await seen).toMatchObject({ errno: expect.stringMatching(/^(EIO|ENXIO|ENODEV|ENOENT)$/) as unknown });
    expect([4096, 'EIO']).toContain((await reader.done)[0]);
    expect(await writer.done).toEqual([CHUNK]);
    expect((await destroy.result).exitCode).toBe(0);
    snapshot.isDestroyed = true;
  });
}
