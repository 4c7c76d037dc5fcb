/** A rate that is measured again is the same rate, on this host or on another; the guest is told it in its own terms; and
 *  whether its kernel got its timers right is seen.
 *  Method: pure, but for the program that measures, which is asked twice. */
import { expect, test } from 'vitest';
import { clockWords } from '../../../../vm/boot/clock/line.js';
import { measureRate, settleRate } from '../../../../vm/boot/clock/rate.js';
import { timerTrouble } from '../../../../vm/boot/clock/timers.js';

test('a first measurement is taken as it is', () => {
  expect(settleRate(2_596_146, [])).toBe(2_596_146);
});

test.for([2_596_146, 2_596_140, 2_595_000, 2_597_300])('%d kHz are the 2596146 kHz that are known', (measured) => {
  expect(settleRate(measured, [3_000_000, 2_596_146])).toBe(2_596_146);
});

test.for([2_594_000, 2_600_000, 1_298_073])('%d kHz are another rate', (measured) => {
  expect(settleRate(measured, [3_000_000, 2_596_146])).toBe(measured);
});

test('two measurements are of the same rate', async ({ skip }) => {
  skip(process.arch !== 'x64', 'only x86 has this counter');
  const khz = await measureRate();
  expect(settleRate(await measureRate(), [khz])).toBe(khz);
});

test('the kernel is told its counter\'s rate, and the delay loops of a tick that follow', () => {
  const config = '# CONFIG_HZ_100 is not set\nCONFIG_HZ_250=y\nCONFIG_HZ=250\n';
  expect(clockWords(2_596_146, config)).toEqual(['tsc_early_khz=2596146', 'lpj=10384584']);
  expect(clockWords(2_596_146, '')).toEqual(['tsc_early_khz=2596146']);
});

const timerList = ({ ticks = 1, mult = 268_435_456, name = 'lapic' } = {}): string => `Timer List Version: v0.9
now at 2514009920 nsecs

Tick Device: mode:     1
Broadcast device
Clock Event Device: pit
 max_delta_ns:   27461861
 min_delta_ns:   12572
 mult:           5124678
 shift:          32
 mode:           1
 event_handler:  tick_handle_oneshot_broadcast

Tick Device: mode:     ${ticks}
Per CPU device: 0
Clock Event Device: ${name}
 max_delta_ns:   34355871842
 min_delta_ns:   1000
 mult:           ${mult}
 shift:          32
 mode:           3
 next_event:     2516000000 nsecs
 event_handler:  hrtimer_interrupt
`;

test('timers at their own rate are no trouble, nor are those of another kind', () => {
  expect(timerTrouble(timerList())).toBeUndefined();
  expect(timerTrouble(timerList({ mult: 273_000_000 }))).toBeUndefined();
  expect(timerTrouble(timerList({ name: 'lapic-deadline', mult: 1 }))).toBeUndefined();
});

test('a kernel that mistakes its timers\' rate, or gave them up, is told from others', () => {
  expect(timerTrouble(timerList({ mult: 384_900_000 }))).toContain('1.43 times');
  expect(timerTrouble(timerList({ mult: 241_591_910 }))).toContain('0.90 times');
  expect(timerTrouble(timerList({ ticks: 0 }))).toContain('gave');
});
