/** A program that dies at any point leaks nothing: what it had asked for is there or is not, and can be cleared away.
 *  Method: kill the tool a little later each time in each of its steps, then use device, snapshot and storage as if nothing had been. */
import { eventually, expect, imagesOf, moduleReferences, Snapshot, test, type Device, type Lab } from '../fixtures/index.js';

const MIB = 1024 * 1024;
const SIGKILL = 9;

/** Starts the tool, kills it after so many turns of the shell, and waits for its end. */
const killedScript = 'turns=$1; shift; "$@" >/dev/null 2>&1 & p=$!; i=0; while [ $i -lt "$turns" ]; do i=$((i+1)); done; kill -9 $p 2>/dev/null || true; wait $p || true';

async function killed(l: Lab, round: number, ...argv: readonly string[]): Promise<void> {
  await l.sh(killedScript, `${round * round * 20}`, ...argv);
}

/** The device is not frozen, and no snapshot is left of it. */
async function expectFree(l: Lab, data: Device): Promise<void> {
  for (const id of await Snapshot.collect(l.guest)) await l.guest.run(['blksnapctl', 'snapshot', 'destroy', id]);
  expect(await Snapshot.collect(l.guest)).toEqual([]);
  expect(await imagesOf(l)).toEqual([]);
  await data.write(MIB, new Uint8Array(4096));
}

const rounds = 12;

test('killed while it attaches or detaches, it leaves a filter or none, and the device as it was', { meta: { spec: ['SNP-06', 'FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  for (let round = 0; round < rounds; round++) {
    await killed(l, round, 'blksnapctl', 'attach', data.path);
    await data.write(0, new Uint8Array(4096));
    if (!await l.isAttached(data)) await data.attach();
    await killed(l, round, 'blksnapctl', 'detach', data.path);
    await data.write(0, new Uint8Array(4096));
    if (await l.isAttached(data)) await data.detach();
    expect(await moduleReferences(l)).toBe(0);
  }
});

test('killed while it creates a snapshot, it leaves one that can be destroyed, or none, and the storage free', { meta: { spec: ['SNP-06', 'DIF-06'] } }, async ({ lab }) => {
  const l = await lab();
  const store = l.disk('store');
  for (let round = 0; round < rounds; round++) {
    await killed(l, round, 'blksnapctl', 'snapshot', 'create', '--storage', store.path);
    await expectFree(l, l.disk('data'));
    expect(await moduleReferences(l)).toBe(0);
    // Nobody holds it any more.
    await l.guest.run(['blkio', 'hold', '--excl', store.path]);
  }
});

for (const step of ['add', 'take', 'destroy'] as const) {
  test(`killed while it does "${step}", it leaves a snapshot that is taken or not, and a device that goes on`, { meta: { spec: ['SNP-06'] } }, async ({ lab }) => {
    const l = await lab();
    const data = l.disk('data');
    await data.fill(1);
    await l.attach(data);
    const references = await moduleReferences(l);
    for (let round = 0; round < rounds; round++) {
      const snapshot = await l.createSnapshot();
      if (step !== 'add') await snapshot.add(data);
      if (step === 'destroy') await snapshot.take();
      await killed(l, round, 'blksnapctl', 'snapshot', step, snapshot.id, ...(step === 'add' ? [data.path] : []));
      await data.write(0, new Uint8Array(4096).fill(round));
      if ((await Snapshot.collect(l.guest)).includes(snapshot.id)) {
        // What it had not done yet can be done now.
        if (step === 'add') await snapshot.add(data).catch((error: { errno: string }) => expect(error.errno).toBe('EALREADY'));
        if (step !== 'destroy') await snapshot.take().catch((error: { errno: string }) => expect(error.errno).toBe('EALREADY'));
        await (await snapshot.image(data)).read(0, 4096);
        await snapshot.destroy();
      }
      snapshot.isDestroyed = true;
      await expectFree(l, data);
      expect(await moduleReferences(l)).toBe(references);
    }
    await data.detach();
    await l.unloadModule();
  });
}

test('killed while it waits for an event, it is gone at once, and the event is there for who asks next', { meta: { spec: ['SNP-06', 'EVT-01', 'EVT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '1M' });
  const waiters = Array.from({ length: 4 }, () => l.guest.start(['blksnapctl', 'snapshot', 'wait', snapshot.id, '--timeout', '600000'], { timeoutMs: 60_000 }));
  const inCall = 'for p in $(pidof blksnapctl); do grep -q "S (sleeping)" /proc/$p/status && ls -l /proc/$p/fd; done 2>/dev/null | grep -c blksnap-control || true';
  await eventually('four waiters that sleep in their calls', () => l.sh(inCall), (count) => count === '4');
  for (const waiter of waiters) await waiter.kill(SIGKILL);
  await data.fill(2, { length: 4 * MIB });
  expect(await snapshot.waitEvent()).toMatchObject({ event: 'corrupted', error_name: 'ENOSPC' });
  await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  await snapshot.destroy();
  await data.detach();
  await l.unloadModule();
});
