/** Brings a booted guest to the state worth saving: agent answers, disks known, common tools in its page cache. */
import type { CheckpointFacts, MachineKind, Prepare } from '../boot/checkpoint.js';
import { timerTrouble } from '../boot/clock/timers.js';
import { flavourNeeds } from '../boot/flavour.js';
import type { Machine } from '../boot/machine.js';
import type { FullDiskSpec } from '../boot/spec.js';
import { BootTimeoutError, HarnessError } from '../errors.js';
import { sleep, within } from '../units.js';
import { Channel } from './channel.js';
import { endError } from './guest.js';

/** A boot takes some 3 s under TCG; a host that runs many guests at once gets ten times that. */
const BOOT_TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 60_000;
/** Lines like "vdb data0": kernel name and serial of each disk. */
const LIST_DISKS = `
for d in /sys/block/vd* /sys/block/sd*; do
  [ -e "$d" ] || continue
  if [ -e "$d/serial" ]; then s=$(cat "$d/serial"); else s=$(tail -c +5 "$d/device/vpd_pg80"); fi
  [ -b "/dev/\${d##*/}" ] && echo "\${d##*/} $s"
done`;

/** The tools that suites start most often; run once, so that later starts find them in memory. */
const WARM_UP = `
for t in fio blkio blksnapctl mkfs.ext4 e2fsck mkfs.xfs xfs_repair losetup blockdev sfdisk dmsetup mdadm leftovers; do
  p=$(command -v $t) && cat "$p" > /dev/null && $t --version > /dev/null 2>&1
done
for d in /sys/block/vd*; do blockdev --flushbufs /dev/\${d##*/}; done
sync; true`;

/** A guest that was just started. */
export interface Newborn {
  readonly machine: Machine;
  readonly channel: Channel;
  /** By which every time limit is multiplied, see flavourNeeds(). */
  readonly slowdown: number;
}

export async function prepareGuest(machine: Machine, { kernel, spec }: MachineKind): ReturnType<Prepare> {
  const channel = new Channel(machine.port);
  const guest: Newborn = { machine, channel, slowdown: flavourNeeds(kernel.flavour).slowdown };
  const facts = await awaitGuest(guest, spec.disks, BOOT_TIMEOUT_MS);
  const trouble = timerTrouble(await script(guest, 'cat /proc/timer_list'));
  await script(guest, WARM_UP);
  // The channel must be silent when the machine stops, so that a restore begins at a frame's border.
  await withDeadline(guest, channel.ping(), STEP_TIMEOUT_MS);
  await sleep(50);
  return { ...facts, klog: channel.klog, ...(trouble === undefined ? {} : { trouble }) };
}

/** Waits for its agent and for its disks. The time limit is that of `fast`. */
export async function awaitGuest(
  guest: Newborn, disks: readonly FullDiskSpec[], timeoutMs: number,
): Promise<Pick<CheckpointFacts, 'devPaths' | 'bootMs'>> {
  const started = performance.now();
  void guest.machine.ended.then((end) => guest.channel.fail(endError(end, guest.machine)));
  await withDeadline(guest, guest.channel.ping(), timeoutMs);
  const bootMs = Math.round(performance.now() - started);
  return { devPaths: await findDisks(guest, disks), bootMs };
}

async function findDisks(guest: Newborn, disks: readonly FullDiskSpec[]): Promise<Record<string, string>> {
  const deadline = performance.now() + STEP_TIMEOUT_MS * guest.slowdown;
  for (;;) {
    const found: Record<string, string> = {};
    for (const line of (await script(guest, LIST_DISKS)).split('\n')) {
      const [name, serial] = line.split(' ');
      if (name && serial) found[serial] = `/dev/${name}`;
    }
    const missing = disks.filter((disk) => !found[disk.name]).map((disk) => disk.name);
    if (missing.length === 0) return found;
    // Disks on scsi are probed in the background.
    if (performance.now() > deadline) {
      throw new HarnessError(`the guest does not see disk ${missing.join(', ')}; it sees ${JSON.stringify(found)}`, {
        code: 'ENODISK', blame: 'rig', phase: 'checkpoint',
      });
    }
    await sleep(50);
  }
}

async function script(guest: Newborn, text: string): Promise<string> {
  const call = guest.channel.start(['/bin/sh', '-c', text], { stdin: false });
  const { exitCode, stdout, stderr } = await withDeadline(guest, call.result, STEP_TIMEOUT_MS);
  if (exitCode !== 0) {
    throw new HarnessError(`preparing the guest failed with status ${exitCode}: ${stderr.toString('utf8')}`, {
      code: 'EPREPARE', blame: 'rig', phase: 'checkpoint',
    });
  }
  return stdout.toString('utf8');
}

/** The console decides whom a boot that never answers speaks against: silence is the rig's. */
async function withDeadline<T>({ machine, slowdown }: Newborn, work: Promise<T>, fastTimeoutMs: number): Promise<T> {
  const timeoutMs = fastTimeoutMs * slowdown;
  const done = await within(work.then((value) => ({ value })), timeoutMs);
  if (done) return done.value;
  const lines = machine.console.tail();
  throw new BootTimeoutError(timeoutMs, lines, lines.trim() ? 'product' : 'rig', machine.console.path);
}
