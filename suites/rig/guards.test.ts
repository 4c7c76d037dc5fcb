/** What a test leaves behind, in the kernel log or in the guest, fails it.
 *  Method: leave it behind on purpose, and ask the guards that every test meets at its end. */
import { expect, test } from '../fixtures/index.js';
import { doomedLab, rejection } from './guests.js';

const splats: readonly (readonly [name: string, line: string])[] = [
  ['WARN', 'WARNING: CPU: 0 PID: 1 at block/blk-core.c:1 submit_bio+0x1/0x2'],
  ['atomic sleep', 'BUG: sleeping function called from invalid context at mm/slab.h:1'],
  ['Oops', 'Oops: 0000 [#1] PREEMPT SMP'],
  ['lockdep', '[ BUG: Invalid wait context ]'],
  ['RCU stall', 'rcu: INFO: rcu_preempt self-detected stall on CPU'],
  ['hung task', 'INFO: task fio:123 blocked for more than 20 seconds.'],
  ['refcount', 'refcount_t: underflow; use-after-free.'],
  ['list corruption', 'list_del corruption. next->prev should be 1, but was 2'],
];

test.for(splats)('%s in the kernel log fails the test in which it appears', async ([name, line], { settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  await lab.checkKlog();

  await lab.sh('echo "$1" > /dev/kmsg', line);

  expect((await rejection(lab.checkKlog())).error).toMatchObject({
    name: 'KernelSplatError', blame: 'product', message: expect.stringMatching(new RegExp(`complained \\(${name}\\)`)) as string,
  });
});

test('a message that a test says it provokes is let pass, and missed when it does not come', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  lab.provoked.push(/on purpose/);

  expect((await rejection(lab.checkKlog())).error).toMatchObject({ message: expect.stringContaining('never came') as string });

  await lab.sh('echo "WARNING: CPU: 0 on purpose" > /dev/kmsg');
  await lab.checkKlog();

  await lab.sh('echo "WARNING: CPU: 0 by accident" > /dev/kmsg');
  expect((await rejection(lab.checkKlog())).error).toMatchObject({ name: 'KernelSplatError' });
});

const leavings: readonly (readonly [what: string, make: string, report: RegExp])[] = [
  ['a loop device', 'truncate -s 1M /tmp/l && losetup -f /tmp/l', /loop device: .*\/tmp\/l/],
  ['a device-mapper device', 'dmsetup create left --table "0 8 linear $1 0"', /device-mapper device: left/],
  ['a mount', 'mkfs.ext4 -q $1 && mkdir -p /mnt/left && mount $1 /mnt/left', /mount: .*\/mnt\/left/],
];

test.for(leavings)('%s left behind fails the test', async ([, make, report], { settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  await lab.sh(make, lab.disk('data').path);

  expect((await rejection(lab.finish({ patienceMs: 0 }))).error).toMatchObject({
    name: 'LeftoverError', blame: 'product', message: expect.stringMatching(report) as string,
  });
});

test('a filter left on a device fails the test, although nothing else is wrong', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished }, { loadModule: true });
  await lab.disk('data').attach();

  const { error } = await rejection(lab.finish({ patienceMs: 0 }));

  expect(error).toMatchObject({ name: 'LeftoverError', message: expect.stringMatching(/filter: blksnap on vdb/) as string });
});

test('an undone test passes the same guards', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished }, { loadModule: true });
  await lab.attach(lab.disk('data'));

  await lab.finish();

  expect(await lab.sh('ls /sys/module')).not.toMatch(/^blksnap$/m);
});
