/** A guest that panics, hangs or loses its QEMU ends the call at once, with the error that says whom it speaks against.
 *  Method: bring each death about for real, and watch a second guest go on. */
import { eventually, expect, test } from '../fixtures/index.js';
import { outOfTime } from '../fixtures/out-of-time.js';
import { doomedLab, rejection } from './guests.js';

/** Far above what an answer takes, far below the 30 s that a call may last: only being told can end it by then. */
const AT_ONCE_MS = 10_000;
const LONG_MS = 60_000;

test('a panic ends the call at once as the product\'s failure, with the last words of the console', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  const bystander = await doomedLab({ settings, onTestFinished });

  const { error, elapsedMs } = await rejection(lab.guest.sh('echo c > /proc/sysrq-trigger; sleep 60', { timeoutMs: LONG_MS }));

  expect(error).toMatchObject({ name: 'GuestPanicError', blame: 'product', message: expect.stringContaining('sysrq triggered crash') as string });
  expect(elapsedMs).toBeLessThan(AT_ONCE_MS);
  expect((await bystander.guest.run(['echo', 'alive'])).text()).toBe('alive');
});

test('calls that were under way when the guest panicked end as that panic, and so do later ones', async ({ settings, onTestFinished }) => {
  const { guest } = await doomedLab({ settings, onTestFinished });
  const sleeper = guest.start(['sleep', '60'], { timeoutMs: LONG_MS });

  await rejection(guest.sh('echo c > /proc/sysrq-trigger; sleep 60', { timeoutMs: LONG_MS }));

  expect((await rejection(sleeper.result)).error).toMatchObject({ name: 'GuestPanicError' });
  expect((await rejection(guest.run(['true']))).error).toMatchObject({ name: 'GuestPanicError' });
});

test('a command stuck in the kernel ends at its deadline as the product\'s failure and names the blocked task', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  const bystander = await doomedLab({ settings, onTestFinished });
  await lab.sh('dmsetup create stuck --table "0 2048 linear $1 0" && dmsetup suspend stuck', lab.disk('data').path);

  const { error, elapsedMs } = await rejection(
    lab.guest.run(['dd', 'if=/dev/zero', 'of=/dev/mapper/stuck', 'bs=4096', 'count=1', 'oflag=direct'], { timeoutMs: 2000 }));

  expect(error).toMatchObject({
    name: 'GuestTimeoutError', blame: 'product', guestAnswers: true, blockedTasks: expect.stringMatching(/task:dd\b/) as string,
  });
  expect(elapsedMs).toBeGreaterThanOrEqual(2000);
  expect(elapsedMs).toBeLessThan(2000 + AT_ONCE_MS);
  expect((await bystander.guest.run(['echo', 'alive'])).text()).toBe('alive');
});

test('of a test that is out of time, its guest tells the commands under way and the task that is stuck', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  await lab.sh('dmsetup create stuck --table "0 2048 linear $1 0" && dmsetup suspend stuck', lab.disk('data').path);
  const writing = lab.guest.run(['dd', 'if=/dev/zero', 'of=/dev/mapper/stuck', 'bs=4096', 'count=1', 'oflag=direct'], { timeoutMs: LONG_MS });
  writing.catch(() => undefined);
  await eventually('a writer that waits', () => lab.sh('ps -o stat,comm | grep -w dd || true'), (seen) => seen.startsWith('D'));

  const { message } = await outOfTime([lab], [1500]);

  expect(message).toMatch(/^a guest, there after 1\.5 s: it answers; commands under way: dd if=/);
  expect(message).toMatch(/task:dd\b/);
});

test('a guest that answers nothing at all ends the call at its deadline and is told from a stuck command', async ({ settings, onTestFinished }) => {
  const { guest } = await doomedLab({ settings, onTestFinished });
  await guest.monitor('stop');

  const { error, elapsedMs } = await rejection(guest.run(['true'], { timeoutMs: 1000 }));

  expect(error).toMatchObject({ name: 'GuestTimeoutError', blame: 'product', guestAnswers: false });
  expect(elapsedMs).toBeLessThan(1000 + AT_ONCE_MS);
  // The next call does not wait for a deadline of its own.
  expect((await rejection(guest.run(['true'], { timeoutMs: LONG_MS }))).elapsedMs).toBeLessThan(1000);
});

test('a QEMU that is killed ends the call at once as the rig\'s error', async ({ settings, onTestFinished }) => {
  const { guest } = await doomedLab({ settings, onTestFinished });
  const bystander = await doomedLab({ settings, onTestFinished });
  const call = guest.start(['sleep', '60'], { timeoutMs: LONG_MS });
  await guest.run(['true']);

  process.kill(guest.pid as number, 'SIGKILL');

  const { error, elapsedMs } = await rejection(call.result);
  expect(error).toMatchObject({ name: 'GuestLostError', blame: 'rig' });
  expect(elapsedMs).toBeLessThan(AT_ONCE_MS);
  expect((await bystander.guest.run(['echo', 'alive'])).text()).toBe('alive');
});
