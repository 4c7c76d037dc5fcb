/** A guest's programmable disk does what the test says, through QEMU and the guest's own driver.
 *  Method: one I/O in the guest, one word to the disk, and what both sides saw of it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { aio, eventually, expect, faultDisks, startAio, steeredDisks, test } from '../fixtures/index.js';
import { doomedLab, rejection } from './guests.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const disks = Object.values(steeredDisks);

test('the guest finds a programmable disk as it was saved, and every request of it is seen once', async ({ settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks });
  const disk = l.programmable('data');
  expect(disk.requests()).toEqual([]);

  expect(await l.disk('data').size()).toBe(97 * MIB + 3 * SECTOR);
  expect(await aio(l.disk('data'), [{ offset: 8 * SECTOR, length: SECTOR }, { offset: 97 * MIB, length: 3 * SECTOR }, { op: 'read', offset: 0, length: MIB }])).toEqual([SECTOR, 3 * SECTOR, MIB]);
  await l.disk('data').discard(MIB, MIB);
  await l.disk('data').zeroout(2 * MIB, MIB);
  await l.disk('data').flush();

  const seen = disk.requests().map(({ kind, sector, sectors }) => `${kind} ${sector}+${sectors}`);
  expect(seen.sort()).toEqual(['discard 2048+2048', 'flush 0+0', 'read 0+2048', `write ${97 * 2048}+3`, 'write 8+1', 'write-zeroes 4096+2048'].sort());
  expect((await l.disk('data').read(7 * SECTOR, 2 * SECTOR))[SECTOR]).toBe(0xee);
});

test('a disk with sectors of 4 KiB is programmable as well', async ({ settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks });
  expect(await aio(l.disk('four'), [{ offset: 4096, length: SECTOR }, { offset: 4096, length: 4096 }])).toEqual(['EINVAL', 4096]);
  expect(l.programmable('four').requests()).toMatchObject([{ kind: 'write', sector: 8, sectors: 8 }]);
});

test('a write overtakes a held read, and the read then sees it', async ({ settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks });
  const disk = l.programmable('data');
  const hold = disk.hold({ kind: 'read' });
  const reader = startAio(l.disk('data'), [{ op: 'read', offset: MIB, length: 4096 }]);
  const read = await hold.next();
  await aio(l.disk('data'), [{ offset: MIB, length: 4096 }]);
  expect(read.request.applied).toBeUndefined();
  read.release();
  expect(await reader.done).toEqual([4096]);
  expect(disk.requests().map(({ kind }) => kind)).toEqual(['read', 'write']);
  expect(read.request.applied).toBeGreaterThan(disk.requests()[1]?.answered as number);
});

test.for([
  ['data', '0 1 2'], ['data', '1 0 2'], ['data', '1 2 0'], ['data', '2 1 0'], ['pulled', '1 2 0'],
] as const)('of three requests to the disk %s that are held, each ends when it is answered, in the order %s', async ([name, order], { settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks: name === 'data' ? disks : Object.values(faultDisks) });
  const data = l.disk(name);
  const hold = l.programmable(name).hold({ kind: 'read' });
  const reader = startAio(data, [0, 1, 2].map((n) => ({ op: 'read', offset: n * MIB, length: 4096 })));
  const held = [await hold.next(), await hold.next(), await hold.next()];
  const inFlight = async (): Promise<number> => Number((await l.sh('cat "/sys/block/$1/inflight"', data.name)).trim().split(/\s+/)[0]);
  for (const [at, n] of order.split(' ').entries()) {
    held[Number(n)]?.release();
    expect(await eventually('the end of what was answered', inFlight, (number) => number === 2 - at)).toBe(2 - at);
  }
  expect(await reader.done).toEqual([4096, 4096, 4096]);
});

test('the guest is told of a request that fails, and QEMU goes on', async ({ settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks });
  l.programmable('data').fail({ kind: 'write' }, 'ENOSPC', 1);
  expect(await aio(l.disk('data'), [{ offset: 0, length: 4096 }])).toEqual(['EIO']);
  expect(await aio(l.disk('data'), [{ offset: 0, length: 4096 }])).toEqual([4096]);
});

test.for(['close', 'cutPower'] as const)('%s ends a guest that has a request held, and its socket is gone', async (end, { settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks });
  const hold = l.programmable('data').hold({ kind: 'write' });
  const writer = startAio(l.disk('data'), [{ offset: 0, length: 4096 }]);
  const held = await hold.next();
  const socket = join(dirname(l.disk('data').hostPath as string), 'disk-data');
  expect(existsSync(socket)).toBe(true);

  await l.guest[end]();

  expect((await rejection(writer.done)).error).toMatchObject({ name: 'GuestClosedError' });
  expect(existsSync(socket)).toBe(false);
  held.release();
  expect(held.request).toMatchObject({ applied: undefined, answered: undefined });
});

test('a panic is told at once although a request is held', async ({ settings, onTestFinished }) => {
  const l = await doomedLab({ settings, onTestFinished }, { disks });
  const hold = l.programmable('data').hold({ kind: 'write' });
  const writer = startAio(l.disk('data'), [{ offset: 0, length: 4096 }]);
  await hold.next();
  await rejection(l.guest.sh('echo c > /proc/sysrq-trigger; sleep 60', { timeoutMs: 60_000 }));
  expect((await rejection(writer.done)).error).toMatchObject({ name: 'GuestPanicError' });
});
