/** While a copy is on its way its device's queue may be frozen, and the device removed: both end with the copy, and the write too.
 *  Method: the disk holds the read of the old data, with one write parked behind it; the other thing begins, and is seen to wait in
 *  the kernel; another write comes, behind the freeze. Then the disk lets the read go, and all must end. */
import { aio, CHUNK, expect, expectFrozen, freezeSteered, startAio, startStuck, test } from '../fixtures/index.js';

const at = (chunk: number): number => chunk * CHUNK;

const freezes: readonly (readonly [what: string, script: string])[] = [
  ['the scheduler is changed', 'echo mq-deadline > "/sys/block/$1/queue/scheduler"'],
  ['the number of requests is changed', 'echo 64 > "/sys/block/$1/queue/nr_requests"'],
  ['the largest request is changed', 'echo 128 > "/sys/block/$1/queue/max_sectors_kb"'],
];

for (const [what, script] of freezes) {
  test(`${what} while a copy is on its way, and nothing waits for ever`, { meta: { spec: ['FLT-09', 'COW-03'] } }, async ({ lab }) => {
    const s = await freezeSteered(lab);
    const hold = s.disk.hold({ kind: 'read', sector: at(3) / 512 });
    const parked = startAio(s.data, [{ offset: at(3), length: 4096 }]);
    await hold.next();

    const { command: change } = await startStuck(s.l, script, s.data.name);
    const behind = startAio(s.data, [{ offset: at(4), length: 4096 }, { offset: at(3) + 8192, length: 4096 }]);
    hold.release();
    expect((await change.result).exitCode).toBe(0);
    expect(await parked.done).toEqual([4096]);
    expect(await behind.done).toEqual([4096, 4096]);
    await expectFrozen(s, 3, 2);
  });
}

test('a detach while a copy is on its way does not wait for ever; a refused one goes through after destroy', { meta: { spec: ['FLT-09', 'COW-09'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab);
  const hold = s.disk.hold({ kind: 'read', sector: at(3) / 512 });
  const parked = startAio(s.data, [{ offset: at(3), length: 4096 }]);
  await hold.next();
  const { command: detach } = await startStuck(s.l, 'exec blksnapctl detach "$1"', s.data.path);
  hold.release();
  const { exitCode } = await detach.result;
  expect(await parked.done).toEqual([4096]);
  expect(await s.data.sysfsFilter()).toBe(exitCode === 0 ? '\n' : 'blksnap\n');
  if (exitCode === 0) await expect(s.image.read(at(3), 4096)).rejects.toMatchObject({ name: 'ToolError' });
  else await expectFrozen(s, 3);
  await s.snapshot.destroy();
  if (exitCode !== 0) await s.data.detach();
  expect(await s.data.read(at(3), 4096)).toEqual(Buffer.alloc(4096, 0xee));
});

test('a disk removed while a copy of it is on its way goes when that has ended, and other devices of the snapshot go on', { meta: { spec: ['FLT-09', 'FLT-10', 'SNP-05'] } }, async ({ lab }) => {
  const s = await freezeSteered(lab, { with: 'second' });
  const second = s.l.disk('second');
  const hold = s.disk.hold({ kind: 'read', sector: at(3) / 512 });
  const parked = startAio(s.data, [{ offset: at(3), length: 4096 }]);
  await hold.next();

  const unbind = 'd=$(basename "$(readlink -f "/sys/block/$1/device")"); echo "$d" > /sys/bus/virtio/drivers/virtio_blk/unbind';
  const { command: removal } = await startStuck(s.l, unbind, s.data.name);
  hold.release();
  expect((await removal.result).exitCode).toBe(0);
  // It was on its way to a device that goes: both ends are right, none is not.
  expect([4096, 'EIO', 'ENODEV']).toContain((await parked.done)[0]);

  await aio(second, [{ offset: at(3), length: 4096 }]);
  await expectFrozen({ image: await s.snapshot.image(second), layout: s.layout }, 3);
  await s.snapshot.destroy();
});
