/** The cut over several devices is one instant.
 *  Method: a writer puts a number on A, waits for it, and puts it on B; the images never show B ahead of A. */
import type { Device } from '../fixtures/index.js';
import { dataDisk, expect, secondDisk, storeDisk, test, thirdDisk } from '../fixtures/index.js';

const SIGTERM = 15;
const BLOCK = 4096;

async function numberAt(device: Device, offset: number): Promise<bigint> {
  return (await device.read(offset, BLOCK)).readBigUInt64LE(0);
}

for (const order of [['data', 'second'], ['second', 'data']]) {
  test(`two devices are cut at one instant, added as ${order.join(' and ')}`, { meta: { spec: ['SNP-02'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
    const [a, b] = [l.disk('data'), l.disk('second')];
    await l.attach(a, b);
    const writer = l.guest.start(['blkio', 'pair', a.path, '0', b.path, '0'], { timeoutMs: 60_000 });
    let latest = 0n;
    for (let round = 0; round < 12; round++) {
      const snapshot = await l.takeSnapshot(order.map((name) => l.disk(name)));
      const onA = await numberAt(await snapshot.image(a), 0);
      const onB = await numberAt(await snapshot.image(b), 0);
      expect(onB, 'B is never ahead of A').toBeLessThanOrEqual(onA);
      expect(onA, 'A is at most one ahead').toBeLessThanOrEqual(onB + 1n);
      expect(onA, 'the writer goes on').toBeGreaterThanOrEqual(latest);
      latest = onA;
      await snapshot.destroy();
    }
    await writer.kill(SIGTERM);
    expect(latest).toBeGreaterThan(0n);
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
  let written = 0n;
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
      expect(first).toBeLessThanOrEqual(then + 1n);
      written += first;
    }
    await snapshot.destroy();
  }
  for (const writer of writers) await writer.kill(SIGTERM);
  expect(written).toBeGreaterThan(0n);
});

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
