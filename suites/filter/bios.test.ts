/** A filter may pass a bio, complete it, or keep it and send it on later: the block layer does not lose track of it.
 *  Method: a probe does each of these, while the disk's file on the host, the counters of sysfs and the user are watched. */
import {
  attachProbe, eventually, expect, fio, loadProbe, makeTestDisk, openGate, startLoad, steeredLab, test, untilStill, type Device, type Lab, type Probe, type ProbeMode,
} from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;

async function inflight(l: Lab, device: Device): Promise<number[]> {
  return (await l.sh('cat "/sys/class/block/$1/inflight"', device.name)).trim().split(/\s+/).map(Number);
}

/** Reads and writes completed since boot, and their sectors. */
async function iostat(l: Lab, device: Device): Promise<{ reads: number; sectorsRead: number; writes: number; sectorsWritten: number }> {
  const [reads, , sectorsRead, , writes, , sectorsWritten] = (await l.sh('cat "/sys/class/block/$1/stat"', device.name)).trim().split(/\s+/).map(Number);
  return { reads: reads ?? NaN, sectorsRead: sectorsRead ?? NaN, writes: writes ?? NaN, sectorsWritten: sectorsWritten ?? NaN };
}

/** A write that is under way, as far as the filter. */
function startWrite(device: Device, offset: number, fill: number): { readonly done: Promise<void>; isDone: boolean } {
  const write = { isDone: false, done: Promise.resolve() };
  write.done = device.write(offset, new Uint8Array(4 * KIB).fill(fill)).finally(() => { write.isDone = true; });
  write.done.catch(() => undefined);
  return write;
}

async function kept(probe: Probe, count: number): Promise<void> {
  await eventually(`${count} kept bios`, async () => (await probe.counts()).kept, (seen) => seen === count);
}

test('a write that the filter completes is done for its user, and never reaches the device', { meta: { spec: ['FLT-08'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  await data.fill(1);
  const before = await data.hostSectors();
  const probe = await attachProbe(l, data);
  await probe.set('complete');
  await data.write(0, new Uint8Array(64 * KIB));
  await probe.set('pass');
  await expect(await data.hostSectors()).toHoldSectorsOf(before);
  expect(await data.read(0, 512)).not.toEqual(Buffer.alloc(512));
  expect(await inflight(l, data)).toEqual([0, 0]);
});

for (const [error, name] of [[5, 'EIO'], [28, 'ENOSPC'], [121, 'EREMOTEIO']] as const) {
  test(`a bio that the filter completes with ${name} is ${name} for its user, reading and writing`, { meta: { spec: ['FLT-08'] } }, async ({ lab }) => {
    const l = await lab();
    await loadProbe(l);
    const data = l.disk('data');
    const probe = await attachProbe(l, data);
    await probe.set('complete', { error, kinds: ['read', 'write'] });
    await expect(data.write(0, new Uint8Array(4096))).rejects.toMatchObject({ errno: name });
    await expect(data.read(0, 4096)).rejects.toMatchObject({ errno: name });
    await probe.set('pass');
    await data.write(0, new Uint8Array(4096));
    expect(await inflight(l, data)).toEqual([0, 0]);
  });
}

test('kept writes wait, others pass them by, and all are done once when they are sent on', { meta: { spec: ['FLT-08'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  await data.fill(1);
  const before = await data.hostSectors();
  const probe = await attachProbe(l, data);
  await probe.set('keep', { hook: true });
  const writes = [0, 1, 2].map((index) => startWrite(data, index * MIB, index + 1));
  await kept(probe, 3);
  await expect(await data.hostSectors()).toHoldSectorsOf(before);
  await probe.set('pass');
  await data.write(4 * MIB, new Uint8Array(4096).fill(9));
  expect(writes.map(({ isDone }) => isDone)).toEqual([false, false, false]);
  expect(await probe.resume()).toBe(3);
  await Promise.all(writes.map(({ done }) => done));
  for (const [index, at] of [[0, 0], [1, MIB], [2, 2 * MIB], [8, 4 * MIB]] as const) {
    expect(await data.read(at, 4096), `at ${at}`).toEqual(Buffer.alloc(4096, index + 1));
  }
  expect(await probe.counts()).toMatchObject({ write: 4, kept: 0, hooked: 3, done: 3, failed: 0 });
  expect(await inflight(l, data)).toEqual([0, 0]);
});

test('detaching sends on what was kept', { meta: { spec: ['FLT-08', 'FLT-09'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  const probe = await attachProbe(l, data);
  await probe.set('keep');
  const writes = [0, 1].map((index) => startWrite(data, index * MIB, 7));
  await kept(probe, 2);
  await data.detach('probe');
  await Promise.all(writes.map(({ done }) => done));
  expect(await data.read(MIB, 4096)).toEqual(Buffer.alloc(4096, 7));
});

const ways: readonly ProbeMode[] = ['pass', 'work', 'read'];
for (const mode of ways) {
  test(`a load that verifies itself loses nothing through a filter in mode "${mode}", and each bio is accounted once`, { meta: { spec: ['FLT-08', 'FLT-13'] } }, async ({ lab, random }) => {
    const l = await lab();
    await loadProbe(l);
    const data = l.disk('data');
    const probe = await attachProbe(l, data);
    const before = await iostat(l, data);
    await probe.set(mode, { hook: true, kinds: ['read', 'write'] });
    // Not larger than the disk takes at once, and at random places: one bio is one request.
    const { writes, bytesWritten } = await fio(l.guest, {
      filename: data.path, rw: 'randwrite', bs: '4k', size: '4m', verify: 'crc32c', do_verify: 1, randseed: random.below(1e9), iodepth: 16,
    });
    const [after, counts] = [await iostat(l, data), await probe.counts()];
    expect(writes).toBe(1024);
    expect(counts).toMatchObject({ write: writes, kept: 0, failed: 0 });
    expect(counts.done).toBe(counts.hooked);
    expect(after.sectorsWritten - before.sectorsWritten).toBe(bytesWritten / 512);
    expect(after.sectorsRead - before.sectorsRead).toBe((counts.sectors - bytesWritten / 512) + (mode === 'read' ? counts.own * 8 : 0));
    expect(await inflight(l, data)).toEqual([0, 0]);
  });
}

for (const mode of ways) {
  test(`bios that are split and chained below a filter in mode "${mode}" complete once, with all their data`, { meta: { spec: ['FLT-08', 'FLT-13'] } }, async ({ lab, random }) => {
    const l = await lab();
    await loadProbe(l);
    // Eight sectors at once: a bio of 1 MiB is split 255 times.
    const disk = await makeTestDisk(l, { maxSectors: 8 });
    const probe = await attachProbe(l, disk);
    await probe.set(mode, { hook: true, kinds: ['read', 'write', 'discard', 'writeZeroes'] });
    const content = random.bytes(2 * MIB);
    await disk.write(3 * KIB, content);
    expect((await disk.read(3 * KIB, 2 * MIB)).equals(content)).toBe(true);
    // These are chains of bios before they come to the filter.
    await disk.discard(3 * KIB, MIB);
    await disk.zeroout(MIB + 3 * KIB, 512 * KIB);
    content.fill(0, 0, MIB + 512 * KIB);
    expect((await disk.read(3 * KIB, 2 * MIB)).equals(content)).toBe(true);
    const counts = await probe.counts();
    expect(counts).toMatchObject({ kept: 0, failed: 0 });
    expect(counts.hooked).toBeGreaterThan(0);
    expect(counts.done).toBe(counts.hooked);
    // Seen before it is split.
    expect(counts.write).toBeLessThan(2 * MIB / (64 * KIB));
    expect(await inflight(l, disk)).toEqual([0, 0]);
  });
}

test('a filter is told that a bio is done when the last of the parts is that it was split into', { meta: { spec: ['FLT-08', 'FLT-13'] } }, async ({ lab }) => {
  const l = await steeredLab(lab);
  await loadProbe(l);
  const data = l.disk('data');
  await l.sh('echo 4 > "/sys/block/$1/queue/max_sectors_kb"', data.name);
  const probe = await attachProbe(l, data);
  await probe.set('pass', { hook: true });
  for (const part of [0, 7, 15]) {
    const hold = l.programmable('data').hold({ kind: 'write', sector: part * 8, sectors: 8 });
    const before = (await probe.counts()).done;
    const write = data.write(0, new Uint8Array(64 * KIB).fill(part + 1));
    await hold.next();
    await untilStill(l, 'blkio', write);
    expect((await probe.counts()).done - before, `part ${part} is held`).toBe(0);
    hold.close();
    hold.release();
    await write;
    expect((await probe.counts()).done - before).toBe(1);
  }
});

test('a writer that does not wait gets EAGAIN from a filter that would sleep, and its data is not written', { meta: { spec: ['FLT-08', 'FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  const probe = await attachProbe(l, data);
  await probe.set('wait');
  await expect(data.write(0, new Uint8Array(4096).fill(1), { nowait: true })).rejects.toMatchObject({ errno: 'EAGAIN' });
  expect(await data.read(0, 4096)).toEqual(Buffer.alloc(4096));
  expect((await probe.log()).filter(({ kind }) => kind === 'write').map(({ flags }) => flags.includes('nowait'))).toEqual([true]);
  const write = startWrite(data, 0, 1);
  await eventually('a sleeper', async () => (await probe.counts()).waiting, (count) => count === 1);
  await openGate(l);
  await write.done;
  expect(await data.read(0, 4096)).toEqual(Buffer.alloc(4096, 1));
});

test('polled I/O completes through a filter that passes it, keeps it, or reads first', { meta: { spec: ['FLT-08', 'FLT-13'] } }, async ({ lab }) => {
  const l = await lab();
  await loadProbe(l);
  await l.sh('insmod /lib/modules/$(uname -r)/null_blk.ko nr_devices=1 poll_queues=1 submit_queues=1 gb=1 memory_backed=1');
  l.defer(() => l.sh('rmmod null_blk'));
  const disk = l.device('/dev/nullb0');
  // Its memory is allocated now: null_blk may not when it is polled, and tries.
  await disk.write(0, new Uint8Array(MIB));
  const probe = await attachProbe(l, disk);
  for (const mode of ways) {
    await probe.set(mode, { kinds: ['read', 'write'] });
    const { writes } = await fio(l.guest, {
      filename: disk.path, rw: 'randwrite', bs: '4k', size: '1m', ioengine: 'io_uring', hipri: true, iodepth: 4, verify: 'crc32c', do_verify: 1,
    });
    expect(writes).toBe(256);
    expect((await probe.log()).at(-1)?.flags).toContain('polled');
    expect(await inflight(l, disk)).toEqual([0, 0]);
  }
});

test('under load a filter changes what it does with bios sixty times, and none is lost', { meta: { spec: ['FLT-08'] } }, async ({ lab, random }) => {
  const l = await lab();
  await loadProbe(l);
  const data = l.disk('data');
  const probe = await attachProbe(l, data);
  const load = startLoad(l.guest, { filename: data.path, rw: 'randrw', bs: '4k-64k', blockalign: '4k', iodepth: 8, randseed: random.below(1e9) });
  await load.started;
  for (let round = 0; round < 60; round++) {
    await probe.set(random.pick(['pass', 'work', 'read', 'keep'] as const), { hook: round % 2 === 0, kinds: ['read', 'write'] });
    await probe.resume();
  }
  await probe.set('pass');
  await probe.resume();
  await load.stop();
  const counts = await probe.counts();
  expect(counts).toMatchObject({ kept: 0, waiting: 0, failed: 0 });
  expect(counts.done).toBe(counts.hooked);
  expect(await inflight(l, data)).toEqual([0, 0]);
});
