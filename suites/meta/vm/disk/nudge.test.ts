/** When QEMU is nudged, and what of it a test sees. */
import { expect, test, vi } from 'vitest';
import { Nudges, type Place } from '../../../../vm/disk/nudge.js';

const SIZE = 1 << 20;

function nudged(): { nudges: Nudges; asked: Place[] } {
  const [nudges, asked] = [new Nudges(SIZE), [] as Place[]];
  nudges.ask = (place) => Promise.resolve(asked.push(place));
  return { nudges, asked };
}

test('two follow an answer, one after the other, and a further answer in between asks for two more', async () => {
  const { nudges, asked } = nudged();
  nudges.owe();
  expect(asked).toHaveLength(1);
  nudges.owe();
  for (const total of [2, 3, 3]) {
    nudges.take({ kind: 'read', ...asked.at(-1)! });
    await new Promise(setImmediate);
    expect(asked).toHaveLength(total);
  }
});

test('it is a read of sectors that exist, and nothing else is taken for it', () => {
  const { nudges, asked } = nudged();
  for (let n = 0; n < 100; n++) {
    nudges.owe();
    const place = asked.at(-1)!;
    expect(place.offset + place.length).toBeLessThanOrEqual(SIZE);
    expect([place.offset % 512, place.length % 512, place.length > 0]).toEqual([0, 0, true]);
    expect(nudges.take({ kind: 'write', ...place })).toBe(false);
    expect(nudges.take({ kind: 'read', ...place, length: place.length + 512 })).toBe(false);
    expect(nudges.take({ kind: 'read', ...place })).toBe(true);
    expect(nudges.take({ kind: 'read', ...place })).toBe(false);
  }
});

test('a QEMU that refuses is not asked again', async () => {
  const nudges = new Nudges(SIZE);
  const ask = vi.fn(() => Promise.reject(new Error('no such device')));
  nudges.ask = ask;
  nudges.owe();
  await new Promise(setImmediate);
  nudges.owe();
  expect(ask).toHaveBeenCalledTimes(1);
});
