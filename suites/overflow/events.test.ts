/** Who waits for a snapshot's events gets each once, in order, or is told why not.
 *  Method: overflow on purpose, before and while somebody waits; time out, interrupt, destroy. */
import { dataDisk, eventually, expect, numbersOf, secondDisk, storeDisk, test, type Lab, type Snapshot } from '../fixtures/index.js';

const SIGINT = 2;

/** A waiter in the guest, known to be inside the call. */
async function startWaiting(l: Lab, snapshot: Snapshot) {
  const waiter = l.guest.start(['blksnapctl', 'snapshot', 'wait', snapshot.id, '--timeout', '25000']);
  waiter.end();
  const inCall = 'for p in $(pidof blksnapctl); do grep -q "S (sleeping)" /proc/$p/status && ls -l /proc/$p/fd; done 2>/dev/null | grep -c blksnap-control || true';
  await eventually('a waiter that sleeps in its call', () => l.sh(inCall), (count) => count === '1');
  return waiter;
}

test('events raised before anyone waits are kept, in order', { meta: { spec: ['EVT-02', 'EVT-01'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const [data, second] = [l.disk('data'), l.disk('second')];
  await l.attach(data, second);
  const snapshot = await l.takeSnapshot([data, second], { limit: '1M' });
  for (const device of [second, data]) {
    await device.fill(2, { length: 4 * 1024 * 1024 });
    await eventually(`the end of the image of ${device.path}`, () => device.snapshotInfo(), ({ error_name: error }) => error === 'ENOSPC');
  }

  const events = [await snapshot.waitEvent(), await snapshot.waitEvent()];

  for (const device of [data, second]) expect(events).toContainEqual(expect.objectContaining(await numbersOf(l, device)));
  // The storage that one device finds full is full for the other, so which of them is the first is the module's affair.
  const times = events.map(({ time_ns }) => time_ns);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times[0]).toBeGreaterThan(0);
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ENOENT' });
});

test('events that nobody has read go with their snapshot', { meta: { spec: ['EVT-01', 'SNP-07'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '1M' });
  await data.fill(2, { length: 4 * 1024 * 1024 });
  await eventually('the end of the image', () => data.snapshotInfo(), ({ error_name: error }) => error === 'ENOSPC');
  await snapshot.destroy();
});

test('a waiter gets the event when it happens', { meta: { spec: ['EVT-01'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '1M' });
  const waiter = await startWaiting(l, snapshot);

  await data.fill(2, { length: 4 * 1024 * 1024 });

  expect((await waiter.result).json()).toMatchObject({ event: 'corrupted', ...await numbersOf(l, data), error_name: 'ENOSPC' });
});

test('waiting ends with ENOENT when nothing happens in time, and not before', { meta: { spec: ['EVT-01'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);

  await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  const uptime = async () => Number((await l.sh('cat /proc/uptime')).split(' ')[0]) * 1000;
  const start = await uptime();
  await expect(snapshot.waitEvent(700)).rejects.toMatchObject({ errno: 'ENOENT' });
  expect(await uptime() - start).toBeGreaterThanOrEqual(690);
});

test('a signal ends the wait with EINTR, and the event is there for the next', { meta: { spec: ['EVT-01', 'EVT-02', 'SNP-06'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { limit: '1M' });
  const waiter = await startWaiting(l, snapshot);

  await waiter.kill(SIGINT);

  expect((await waiter.result).stderr.toString()).toContain('"EINTR"');
  await data.fill(2, { length: 4 * 1024 * 1024 });
  expect(await snapshot.waitEvent()).toMatchObject({ error_name: 'ENOSPC' });
});

test('destroying the snapshot wakes its waiters with ESRCH', { meta: { spec: ['EVT-01', 'SNP-04'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  const waiter = await startWaiting(l, snapshot);

  await snapshot.destroy();

  expect((await waiter.result).stderr.toString()).toContain('"ESRCH"');
  await expect(snapshot.waitEvent(50)).rejects.toMatchObject({ errno: 'ESRCH' });
  await expect(snapshot.destroy()).rejects.toMatchObject({ errno: 'ESRCH' });
});
