/** The second driver gives the same guest on the host's own root file system.
 *  Method: one boot, asked for what only the host can know, for what it may not change, and for its death. */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { expect, test } from '../fixtures/index.js';
import { doomedLab, rejection } from './guests.js';
import { expectPaceOfHost } from './pace.js';

/** Ten times a boot under TCG. */
const BOOT_TIMEOUT_MS = 240_000;
/** Far below the deadline of the call: only being told can end it by then. */
const AT_ONCE_MS = 20_000;
const LONG_MS = 120_000;
/** On the host's root, below a folder that only overlays make writable in the guest. */
const MARK = '/var/lib/blksnap-suite-was-here';

test('a guest of virtme-ng has the host\'s root and pace, writes nothing to it, and its panic ends the call at once', { timeout: BOOT_TIMEOUT_MS }, async ({ settings, onTestFinished, skip }) => {
  const lab = await doomedLab({ settings, onTestFinished }, { driver: 'vng', loadModule: true }).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'EVIRTME_MISSING') skip(`not proved here: ${(error as Error).message}`);
    throw error;
  });
  onTestFinished(() => rm(MARK, { force: true }));
  const { guest } = lab;

  expect(await guest.readFile('/etc/os-release')).toEqual(await readFile('/etc/os-release'));
  expect(await lab.sh('uname -r')).toBe(settings.kernel.release);
  expect(await lab.sh('cat /sys/module/blksnap/refcnt')).toBe('0');

  await lab.disk('data').attach();
  await lab.disk('data').fill(1);
  expect((await lab.disk('data').hostSectors()).sums).toEqual((await lab.disk('data').sectors()).sums);

  await lab.sh('mkdir -p "$1/a" && mv "$1/a" "$1/b" && rm -r "$1" && mkdir "$1" && echo here > "$1/x"', MARK);
  expect(await lab.sh('cat "$1/x"', MARK)).toBe('here');
  expect(existsSync(MARK)).toBe(false);

  await expectPaceOfHost(lab);

  const { pid } = guest;
  const { error, elapsedMs } = await rejection(guest.sh('echo c > /proc/sysrq-trigger; sleep 60', { timeoutMs: LONG_MS }));
  expect(error).toMatchObject({ name: 'GuestPanicError', blame: 'product', message: expect.stringContaining('sysrq triggered crash') as string });
  expect(elapsedMs).toBeLessThan(AT_ONCE_MS);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});
