/** The cut over several devices is one instant.
 *  Method: a writer puts a number on A, waits for it, and puts it on B; the images never show B ahead of A. And a
 *  take is held at each of its devices, at the freezing and at a write in flight, while such a pair is written to others. */
import type { Device } from '../fixtures/index.js';
import { dataDisk, expect, mountExt4, secondDisk, startAio, steeredLab, storeDisk, test, thirdDisk, untilStill } from '../fixtures/index.js';

const SIGTERM = 15;
const BLOCK = 4096;
const MIB = 1024 * 1024;

/** Far below 2^53. */
async function numberAt(device: Device, offset: number): Promise<number> {
  return Number((await device.read(offset, BLOCK)).readBigUInt64LE(0));
}

for (const order of [['data', 'second'], ['second', 'data']]) {
  test(`two devices are cut at one instant, added as ${order.join(' and ')}`, { meta: { spec: ['SNP-02'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
    const [a, b] = [l.disk('data'), l.disk('second')];
    await l.attach(a, b);
    const writer = l.guest.start(['blkio', 'pair', a.path, '0', b.path, '0'], { timeoutMs: 60_000 });
    let latest = 0;
    for (let round = 0; round < 12; round++) {
      const snapshot = await l.takeSnapshot(order.map((name) => l.disk(name)));
      const onA = await numberAt(await snapshot.image(a), 0);
      const onB = await numberAt(await snapshot.image(b), 0);
      expect(onB, 'B is never ahead of A').toBeLessThanOrEqual(onA);
      expect(onA, 'A is at most one ahead').toBeLessThanOrEqual(onB + 1);
      expect(onA, 'the writer goes on').toBeGreaterThanOrEqual(latest);
      latest = onA;
      await snapshot.destroy();
    }
    await writer.kill(SIGTERM);
    expect(latest).toBeGreaterThan(0);
  });
}

test('three devices are cut at one instant', { meta: { spec: ['SNP-02'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, thirdDisk, storeDisk] });
  const [a, b, c] = [l.disk('data'), l.disk('second'), l.disk('third')];
  await l.attach(a, b, c);
  // Two chains, so that each device is once before and once after another.
  const writers = [
    l.guest.start(['blkio', 'pair', a.path, '0', b.path, '0'], { timeoutMs: 60_000 }),
    l.guest.start(['blkio', 'pair', b.path, `${BLOCK}`, c.path, '0'], { timeoutMs: 60_000 }),
    l.guest.start(['blkio', 'pair', c.path, `${BLOCK}`, a.path, `${BLOCK}`], { timeoutMs: 60_000 }),
  ];
  let written = 0;
  for (let round = 0; round < 8; round++) {
    const snapshot = await l.takeSnapshot([b, c, a]);
    const [imageA, imageB, imageC] = [await snapshot.image(a), await snapshot.image(b), await snapshot.image(c)];
    const chains = [
      [await numberAt(imageA, 0), await numberAt(imageB, 0)],
      [await numberAt(imageB, BLOCK), await numberAt(imageC, 0)],
      [await numberAt(imageC, BLOCK), await numberAt(imageA, BLOCK)],
    ] as const;
    for (const [first, then] of chains) {
      expect(then).toBeLessThanOrEqual(first);
      expect(first).toBeLessThanOrEqual(then + 1);
      written += first;
    }
    await snapshot.destroy();
  }
  for (const writer of writers) await writer.kill(SIGTERM);
  expect(written).toBeGreaterThan(0);
});

const three = ['data', 'second', 'store'] as const;
for (const slow of three) {
  test(`nothing gets between the cuts while a write to ${slow} keeps the take waiting`, { meta: { spec: ['SNP-02'] } }, async ({ lab }) => {
    const l = await steeredLab(lab);
    const [a, b] = three.filter((name) => name !== slow).map((name) => l.disk(name)) as [Device, Device];
    const all = three.map((name) => l.disk(name));
    await l.attach(...all);
    const snapshot = await l.createSnapshot({ storage: '/tmp', limit: '32M' });
    await snapshot.add(...all);
    const hold = l.programmable(slow).hold({ kind: 'write' });
    const inFlight = startAio(l.disk(slow), [{ offset: 0, length: BLOCK }]);
    await hold.next();
    hold.close();
    const take = snapshot.take();
    await untilStill(l, 'blksnapctl', take);
    // In both directions, for either may have been cut. They may have to wait for the take.
    const chains = [[a, b, MIB], [b, a, 2 * MIB]] as const;
    const written = Promise.all(chains.map(async ([first, then, offset]) => {
      for (const device of [first, then]) await device.write(offset, Buffer.alloc(BLOCK, 1), { timeoutMs: 60_000 });
    }));
    await untilStill(l, 'blkio', written);
    hold.release();
    await Promise.all([take, inFlight.done, written]);

    for (const [first, then, offset] of chains) {
      const images = [await snapshot.image(first), await snapshot.image(then)];
      const [onFirst, onThen] = await Promise.all(images.map(async (image) => (await image.read(offset, BLOCK))[0]));
      expect([onFirst, onThen], `written to ${first.path} before, and to ${then.path} then`).not.toEqual([0, 1]);
    }
  });
}

for (const [slow, other] of [['data', 'second'], ['second', 'data']] as const) {
  test(`no device is cut while the file system on ${slow} is being frozen`, { meta: { spec: ['SNP-02', 'SNP-01'] } }, async ({ lab }) => {
    const l = await steeredLab(lab);
    const [a, b] = [l.disk(other), l.disk(slow)];
    await mountExt4(l, b, '/mnt', [], '16M');
    await l.attach(a, b);
    const snapshot = await l.createSnapshot();
    await snapshot.add(a, b);
    await l.sh('echo dirty > /mnt/file');
    const hold = l.programmable(slow).hold({ kind: 'write', sector: 0, sectors: 16 * MIB / 512 });
    const take = snapshot.take();
    await hold.next();
    const written = (async () => {
      for (const device of [a, b]) await device.write(64 * MIB, Buffer.alloc(BLOCK, 1), { timeoutMs: 60_000 });
    })();
    await untilStill(l, 'blkio', written);
    hold.release();
    await Promise.all([take, written]);

    const [onA, onB] = [await (await snapshot.image(a)).read(64 * MIB, BLOCK), await (await snapshot.image(b)).read(64 * MIB, BLOCK)];
    expect([onA[0], onB[0]], 'written on the other device before, and on this one then').not.toEqual([0, 1]);
  });
}

test('several snapshots of different devices live side by side', { meta: { spec: ['SNP-01', 'SNP-03'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const [a, b] = [l.disk('data'), l.disk('second')];
  await a.fill(1);
  await b.fill(1, { device: 2 });
  await l.attach(a, b);
  const first = await l.takeSnapshot(a, { storage: '/tmp' , limit: '32M' });
  const frozenA = await a.hostSectors();
  await a.fill(2);
  const second = await l.takeSnapshot(b);
  const frozenB = await b.hostSectors();
  await b.fill(3, { device: 2 });

  await expect(await (await first.image(a)).sectors()).toHoldSectorsOf(frozenA);
  await expect(await (await second.image(b)).sectors()).toHoldSectorsOf(frozenB);
  await first.destroy();
  await expect(await (await second.image(b)).sectors()).toHoldSectorsOf(frozenB);
});
