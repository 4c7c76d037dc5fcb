/** The call that waits for events: whom it wakes, what it writes, and what becomes of an event that could not be delivered.
 *  Method: raw calls with arguments full of 0xAA, several waiters at once, time-outs at their limits. */
import {
  controlCommand, dataDisk, eventually, expect, FILLER, numbersOf, secondDisk, storeDisk, test, tool, type Lab, type Snapshot,
} from '../fixtures/index.js';

const EVENT_BYTES = 4096;
const HEAD_BYTES = 24;
const DATA = 32;
const CONTROL = '/dev/blksnap-control';
const WAIT = `${controlCommand.waitEvent}`;
const FOREVER = 0xffff_ffff;
const lost = { event: 'corrupted', error_name: 'ENOSPC' };

/** struct blksnap_snapshot_event as it goes in, in hexadecimal. */
function argument(snapshot: Snapshot, timeoutMs: number, bytes = EVENT_BYTES): string {
  const event = Buffer.alloc(bytes, FILLER);
  Buffer.from(snapshot.id.replaceAll('-', ''), 'hex').copy(event, 0);
  event.writeUInt32LE(timeoutMs, 16);
  return event.toString('hex');
}

/** A snapshot of these devices that is full after a megabyte. */
async function smallSnapshot(l: Lab, names: readonly string[]): Promise<Snapshot> {
  const devices = names.map((name) => l.disk(name));
  await l.attach(...devices);
  return l.takeSnapshot(devices, { limit: '1M' });
}

const overflow = (l: Lab, name: string) => l.disk(name).fill(2, { length: 4 * 1024 * 1024 });

/** Waiters in the guest that are known to sleep in the call. */
async function startWaiters(l: Lab, snapshot: Snapshot, count: number, timeoutMs: number) {
  const waiters = Array.from({ length: count }, () => {
    const waiter = l.guest.start(['blkio', 'ioctl', CONTROL, WAIT, argument(snapshot, timeoutMs)], { timeoutMs: 60_000 });
    waiter.end();
    return waiter;
  });
  const asleep = 'for p in $(pidof blkio); do grep -q "S (sleeping)" /proc/$p/status && ls -l /proc/$p/fd; done 2> /dev/null | grep -c blksnap-control || true';
  await eventually(`${count} waiters that sleep`, () => l.sh(asleep), (seen) => seen === `${count}`);
  return waiters;
}

const answerOf = (text: string) => JSON.parse(text) as { error: string | null; out: string };

/** Each of these bytes is zero, or as the caller had it. */
function expectNothingOfKernel(out: Buffer, argument: Buffer, [from, to]: readonly [number, number]): void {
  const others = [...out.subarray(from, to).entries()].filter(([at, byte]) => byte !== 0 && byte !== argument[from + at]);
  expect(others, `bytes from ${from} on that are the kernel's`).toEqual([]);
}

test('an event is 4096 bytes of which each is defined', { meta: { spec: ['ABI-01', 'EVT-02'] } }, async ({ lab }) => {
  const l = await lab();
  const snapshot = await smallSnapshot(l, ['data']);
  await overflow(l, 'data');

  const hex = argument(snapshot, 1000);
  const answer = (await tool(l.guest, ['blkio', 'ioctl', CONTROL, WAIT, `${hex}aaaaaaaa`])).json<{ error: string | null; out: string }>();

  expect(answer.error).toBe(null);
  const out = Buffer.from(answer.out, 'hex');
  // The id is as it was, the code is 0, and there is a time.
  expect(out.subarray(0, 16)).toEqual(Buffer.from(hex, 'hex').subarray(0, 16));
  expect(out.readUInt32LE(20)).toBe(0);
  expect(out.readBigInt64LE(24)).toBeGreaterThan(0n);
  const { major, minor } = await numbersOf(l, l.disk('data'));
  expect([out.readUInt32LE(DATA), out.readUInt32LE(DATA + 4), out.readInt32LE(DATA + 8)]).toEqual([major, minor, -28]);
  expectNothingOfKernel(out, Buffer.from(hex, 'hex'), [16, 20]);
  expectNothingOfKernel(out, Buffer.from(hex, 'hex'), [DATA + 12, EVENT_BYTES]);
  expect(out.subarray(EVENT_BYTES)).toEqual(Buffer.alloc(4, FILLER));
});

test('a waiter without an event is told so, and gets nothing of the kernel\'s', { meta: { spec: ['ABI-01', 'EVT-01'] } }, async ({ lab }) => {
  const l = await lab();
  const snapshot = await smallSnapshot(l, ['data']);
  const hex = argument(snapshot, 10);
  const { error, out } = answerOf((await tool(l.guest, ['blkio', 'ioctl', CONTROL, WAIT, hex])).text());
  expect(error).toBe('ENOENT');
  expectNothingOfKernel(Buffer.from(out, 'hex'), Buffer.from(hex, 'hex'), [0, EVENT_BYTES]);
});

/** Nanoseconds since 1970, as the guest's files are dated: of a tick that comes after the call. */
async function nextTick(l: Lab): Promise<number> {
  const [day, time, nanoseconds] = (await l.sh('touch /tmp/a; until touch /tmp/b; [ "$(stat -c %y /tmp/a)" != "$(stat -c %y /tmp/b)" ]; do :; done; stat -c %y /tmp/b')).split(/[ .]/);
  return Date.parse(`${day}T${time}Z`) * 1e6 + Number(nanoseconds);
}

test('events that cannot be written to a waiter are kept for the next', { meta: { spec: ['EVT-02', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const snapshot = await smallSnapshot(l, ['data', 'second']);
  for (const name of ['second', 'data']) {
    await overflow(l, name);
    await eventually(`the end of the image of ${name}`, () => l.disk(name).snapshotInfo(), ({ error_name: error }) => error === 'ENOSPC');
  }

  const over = await nextTick(l);
  // Of the structure only its head is in memory; behind it there is none.
  const head = argument(snapshot, 1000, HEAD_BYTES);
  const page = `${'00'.repeat(EVENT_BYTES - HEAD_BYTES)}${head}`;
  for (let times = 0; times < 3; times++) {
    const answer = (await tool(l.guest, ['blkio', 'ioctl', CONTROL, WAIT, page, '--offset', `${EVENT_BYTES - HEAD_BYTES}`])).json();
    expect(answer).toMatchObject({ error: 'EFAULT' });
  }

  const events = [await snapshot.waitEvent(), await snapshot.waitEvent()];
  for (const name of ['data', 'second']) expect(events).toContainEqual(expect.objectContaining({ ...await numbersOf(l, l.disk(name)), ...lost }));
  expect(events[1]?.time_ns).toBeGreaterThanOrEqual(events[0]?.time_ns ?? 0);
  expect(events[1]?.time_ns, 'when it happened, not when it was asked for').toBeLessThanOrEqual(over);
  await expect(snapshot.waitEvent(10)).rejects.toMatchObject({ errno: 'ENOENT' });
});

test('each of two events goes to one of four waiters, and destroy wakes the others', { meta: { spec: ['EVT-01', 'EVT-02'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const snapshot = await smallSnapshot(l, ['data', 'second']);
  const waiters = await startWaiters(l, snapshot, 4, FOREVER);

  await Promise.all([overflow(l, 'data'), overflow(l, 'second')]);
  await eventually('two waiters that have gone', () => l.sh('pidof blkio | wc -w'), (count) => count === '2');
  await snapshot.destroy();

  const answers = (await Promise.all(waiters.map(({ result }) => result))).map((result) => answerOf(result.text()));
  expect(answers.map(({ error }) => error ?? 'event').sort()).toEqual(['ESRCH', 'ESRCH', 'event', 'event']);
  const minors = answers.filter(({ error }) => error === null).map(({ out }) => Buffer.from(out, 'hex').readUInt32LE(DATA + 4));
  const expected = await Promise.all(['data', 'second'].map(async (name) => (await numbersOf(l, l.disk(name))).minor));
  expect(minors.sort()).toEqual(expected.sort());
});

test('destroy wakes all who wait, though they wait for ever', { meta: { spec: ['EVT-01', 'SNP-01'] } }, async ({ lab }) => {
  const l = await lab();
  const snapshot = await smallSnapshot(l, ['data']);
  const waiters = await startWaiters(l, snapshot, 5, FOREVER);
  await snapshot.destroy();
  for (const { result } of waiters) expect(answerOf((await result).text()).error).toBe('ESRCH');
});

test('a snapshot that is not taken yet can be waited for, and another one\'s events are not heard', { meta: { spec: ['EVT-01', 'SNP-03'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, secondDisk, storeDisk] });
  const other = await l.createSnapshot({ storage: '/tmp/other', limit: '1M' });
  const waiters = await startWaiters(l, other, 1, FOREVER);
  const snapshot = await smallSnapshot(l, ['data']);
  await overflow(l, 'data');

  expect(await snapshot.waitEvent()).toMatchObject(lost);
  await expect(other.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  await other.destroy();
  for (const { result } of waiters) expect(answerOf((await result).text()).error).toBe('ESRCH');
});
