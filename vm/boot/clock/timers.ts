/** Whether a kernel got to know its processors' timers when it booted; pure.
 *
 *  It measures the timer of the local APIC for a tenth of a second, and nothing can tell it the rate instead. On a busy
 *  host a guest may find a wrong one, by which all its timers are late or early, or give the timer up and do without
 *  timers finer than a tick. Its clock is right nevertheless. */

/** What QEMU and KVM give it, divided by 16 as Linux does: counts in a nanosecond. */
const COUNTS_PER_NS = 1 / 16;
const TOLERANCE = 0.05;

/** What is wrong, from the text of /proc/timer_list; undefined if nothing is, or if there are no such timers. */
export function timerTrouble(timerList: string): string | undefined {
  for (const text of timerList.split(/^Tick Device: /m).slice(1)) {
    if (!/^Clock Event Device: lapic$/m.test(text)) continue;
    const number = (name: string): number => Number(new RegExp(`^\\s*${name}:\\s*(\\d+)$`, 'm').exec(text)?.[1]);
    // The first mode is that of the ticks: 0 where no other than periodic ones can be had.
    if (number('mode') === 0) return 'the kernel gave its local APIC timers up';
    const ratio = number('mult') / 2 ** number('shift') / COUNTS_PER_NS;
    if (!(Math.abs(ratio - 1) <= TOLERANCE)) {
      return `the kernel takes its local APIC timers for ${ratio.toFixed(2)} times as fast as they are`;
    }
  }
  return undefined;
}
