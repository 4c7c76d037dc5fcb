/** What a guest can still say when a call does not end: sysrq over the serial line. */
import type { Machine } from '../boot/machine.js';
import { sleep, within } from '../units.js';
import type { Channel } from './channel.js';

const SPEAK_MS_MAX = 3000;
const QUIET_MS = 300;
const ANSWER_MS_MAX = 2000;

/** Tasks in uninterruptible sleep and running ones, as the kernel prints them; empty when it does not react at all. */
export async function blockedTasks(machine: Machine): Promise<string> {
  const before = machine.console.text.length;
  // 8: let the console have every level; w: show blocked tasks; l: show what the CPUs run, for a task that spins.
  // A key counts within 5 s of a break.
  for (const key of ['8', 'w', 'l']) {
    try {
      await within(machine.qmp.execute('chardev-send-break', { id: 'console' }), 500);
    } catch {
      return '';
    }
    machine.console.write(key);
    await sleep(60);
  }
  const deadline = performance.now() + SPEAK_MS_MAX;
  let seen = -1;
  while (performance.now() < deadline && seen !== machine.console.receivedBytes) {
    seen = machine.console.receivedBytes;
    await sleep(QUIET_MS);
  }
  const text = machine.console.text;
  const start = text.lastIndexOf('sysrq: Show Blocked State');
  return start >= 0 ? text.slice(start).trimEnd() : text.slice(before).trimEnd();
}

/** Whether the agent still answers: tells a stuck command from a stuck guest. */
export async function guestAnswers(channel: Channel): Promise<boolean> {
  const ping = channel.ping().then(() => true, () => false);
  return (await within(ping, ANSWER_MS_MAX)) ?? false;
}
