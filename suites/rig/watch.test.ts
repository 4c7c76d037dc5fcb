/** What kernel code does wrong is seen: by the kernel's own watchers, in its log, or by the look at what is left.
 *  Method: a module that does one wrong thing when it is loaded (misbehave/), and the guards that every test meets at its
 *  end. Which watchers a kernel has is read from its configuration. */
import { fileURLToPath } from 'node:url';
import { expect, test, type Lab } from '../fixtures/index.js';
import { hasConfig } from '../fixtures/kernel-config.js';
import { insertOwnModule } from '../fixtures/own-module.js';
import { doomedLab, rejection } from './guests.js';

function misbehave(lab: Lab, deed: string): Promise<void> {
  return insertOwnModule(lab.guest, fileURLToPath(new URL('misbehave/', import.meta.url)), { deed });
}

const told: readonly (readonly [deed: string, splat: string, watcher: string])[] = [
  ['use-after-free', 'KASAN', 'KASAN'],
  ['out-of-bounds', 'KASAN', 'KASAN'],
  ['wide-shift', 'UBSAN', 'UBSAN_SHIFT'],
  ['lock-inversion', 'lockdep', 'PROVE_LOCKING'],
  ['mutex-let-go', 'lockdep', 'DEBUG_MUTEXES'],
  ['semaphore-let-go', 'lockdep', 'DEBUG_RWSEMS'],
  ['spinlock-let-go', 'lockdep', 'DEBUG_SPINLOCK'],
  ['rcu-without-lock', 'lockdep', 'PROVE_RCU'],
  ['free-active-timer', 'DEBUG_OBJECTS', 'DEBUG_OBJECTS_FREE'],
  ['atomic-sleep', 'atomic sleep', 'DEBUG_ATOMIC_SLEEP'],
  ['list-twice', 'list corruption', 'DEBUG_LIST'],
  ['reference-twice', 'refcount', 'MODULES'],
  ['cache-with-objects', 'slab', 'SLUB_DEBUG'],
];

test.for(told)('%s is told by the kernel as %s', async ([deed, splat, watcher], { settings, onTestFinished, skip }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  skip(!await hasConfig(lab.guest, watcher), `a kernel of flavour ${settings.flavour} has no CONFIG_${watcher}`);

  await misbehave(lab, deed);

  // The kernel prints while it holds locks, which lockdep may tell as well.
  expect((await rejection(lab.checkKlog())).error).toMatchObject({
    name: 'KernelSplatError', message: expect.stringMatching(new RegExp(`complained \\(.*\\b${splat}\\b.*\\)`)) as string,
  });
});

const left: readonly (readonly [deed: string, report: RegExp, watcher: string])[] = [
  ['lost-memory', /leak: \d+ bytes < .*new_thing/, 'DEBUG_KMEMLEAK'],
  ['left-cache', /slab cache: misbehave/, 'MODULES'],
  ['left-workqueue', /workqueue: misbe/, 'MODULES'],
  ['left-number', /device number: \d+ misbehave/, 'MODULES'],
  ['nameless-file', /open file without a name: 1 on \/tmp/, 'TMPFS'],
  ['claimed-device', /claimed device: \/dev\/vdb/, 'MODULES'],
];

test.for(left)('%s is found at the end of the test', async ([deed, report, watcher], { settings, onTestFinished, skip }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  skip(!await hasConfig(lab.guest, watcher), `a kernel of flavour ${settings.flavour} has no CONFIG_${watcher}`);

  await misbehave(lab, deed);

  const { error } = await rejection(lab.finish());
  expect(error).toMatchObject({ name: 'LeftoverError' });
  expect((error as Error).message).toMatch(report);
  expect((error as Error).message.trim().split('\n'), 'nothing else is blamed').toHaveLength(2);
});

test('lost pages are found at the end of the test, when the module that got them is gone', async ({ settings, onTestFinished, skip }) => {
  const lab = await doomedLab({ settings, onTestFinished });
  skip(!await hasConfig(lab.guest, 'PAGE_OWNER'), `a kernel of flavour ${settings.flavour} has no CONFIG_PAGE_OWNER`);

  await misbehave(lab, 'lost-pages');
  await lab.guest.run(['rmmod', 'misbehave']);

  const { error } = await rejection(lab.finish());
  expect(error).toMatchObject({ name: 'LeftoverError', message: expect.stringMatching(/pages: 2 < 0x/) as string });
});

test.for([['lost-memory', 'new_thing'], ['lost-pages', 'lost_pages']] as const)(
  '%s is told by the kernel when the module goes', async ([deed, line], { settings, onTestFinished, skip }) => {
    const lab = await doomedLab({ settings, onTestFinished });
    skip(!await hasConfig(lab.guest, 'MEM_ALLOC_PROFILING'),
      `a kernel of flavour ${settings.flavour} has no CONFIG_MEM_ALLOC_PROFILING`);

    await misbehave(lab, deed);
    await lab.guest.run(['rmmod', 'misbehave']);

    expect((await rejection(lab.checkKlog())).error).toMatchObject({
      name: 'KernelSplatError', message: expect.stringMatching(new RegExp(`misbehave func:${line} has \\d+ allocated`)) as string,
    });
  });

test('memory that is in use is not taken for lost, while the module is there and when it is gone', async ({ settings, onTestFinished }) => {
  const lab = await doomedLab({ settings, onTestFinished }, { loadModule: true });
  const device = lab.disk('data');
  await lab.attach(device);
  await lab.takeSnapshot(device);
  await device.fill(1, { length: 1 << 20 });

  await lab.finish();
});
