/** What a guest can still say when a call does not end: sysrq over the serial line. */
import type { Machine } from '../boot/machine.js';
import { sleep, within } from '../units.js';
import type { Channel } from './channel.js';

const KEY_MS_MAX = 1000;
const LOOK_MS = 20;
const TRIES = 3;
const SPEAK_MS_MAX = 3000;
const QUIET_MS = 300;
const ANSWER_MS_MAX = 2000;

/** What the kernel says to the key as soon as it has it. */
const KEYS = [
  // Let the console have every level.
  { key: '8', answer: 'sysrq: Changing Loglevel' },
  // What sleeps, and what the CPUs run, for a task that spins.
  { key: 'w', answer: 'sysrq: Show Blocked State' },
  { key: 'l', answer: 'sysrq: Show backtrace of all active CPUs' },
] as const;

/** Tasks in uninterruptible sleep and running ones, as the kernel prints them; empty when it does not react at all. */
export async function blockedTasks(machine: Machine): Promise<string> {
  const before = machine.console.text.length;
  for (const { key, answer } of KEYS) {
    if (!await press(machine, key, answer)) break;
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

/** A key counts within 5 s of a break. The serial port tells of a break with the byte that is read next: while a slow guest has
 *  not read the byte before it, that one is taken for it. So each key waits for its answer, and is pressed again without. */
async function press({ qmp, console }: Machine, key: string, answer: string): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = console.text.length;
    try {
      await within(qmp.execute('chardev-send-break', { id: 'console' }), 500);
    } catch {
      return false;
    }
    console.write(key);
    const deadline = performance.now() + KEY_MS_MAX;
    while (performance.now() < deadline) {
      if (console.text.includes(answer, before)) return true;
      await sleep(LOOK_MS);
    }
  }
  return false;
}

/** Whether the agent still answers: tells a stuck command from a stuck guest. */
export async function guestAnswers(channel: Channel): Promise<boolean> {
  const ping = channel.ping().then(() => true, () => false);
  return (await within(ping, ANSWER_MS_MAX)) ?? false;
}
