/** Each mutant has its turn once, written ones first, on as many lanes as there are. Method: made-up mutants, ended by hand. */
import { expect, test } from 'vitest';
import { onLanes, turnsOf } from '../../../../ci/mutants/lanes.js';
import type { Mutant } from '../../../../ci/mutants/load.js';

const mutant = (name: string) => ({ name }) as Mutant;

async function* endless() {
  for (let at = 1; ; at++) yield at === 2 ? { mutant: mutant('nobody can tell'), why: 'so' } : { mutant: mutant(`s${at}`) };
}

function turns(written: readonly string[], count: number, equivalent: string[] = []) {
  return turnsOf({ written: written.map(mutant), systematic: endless(), count, onEquivalent: ({ name }) => equivalent.push(name) });
}

test('the written ones, then so many systematic ones, without those that nobody can tell', async () => {
  const [seen, equivalent]: string[][] = [[], []];
  await onLanes(['left', 'right'], turns(['a', 'b', 'c'], 2, equivalent), ({ name }) => Promise.resolve(void seen?.push(name)));
  expect([seen, equivalent]).toEqual([['a', 'b', 'c', 's1', 's3'], ['nobody can tell']]);
});

test('one that is given back makes room for another, though the other lane has ended', async () => {
  const seen: string[] = [];
  const all = turns([], 2);
  await onLanes(['left', 'right'], all, async ({ name }) => {
    seen.push(name);
    // By now the other lane has found nothing left.
    if (name === 's1') await new Promise((resolve) => setTimeout(resolve, 20)).then(all.giveBack);
  });
  expect(seen).toEqual(['s1', 's3', 's4']);
});

test('so many at a time, and no more', async () => {
  const ends: (() => void)[] = [];
  const done = onLanes(['left', 'right'], turns(['a', 'b', 'c'], 0), () => new Promise<void>((resolve) => ends.push(resolve)));
  for (let at = 0; at < 3; at++) {
    await expect.poll(() => ends.length).toBe(Math.min(3, 2 + at));
    ends[at]?.();
  }
  await done;
});

test('a lane tries one at a time', async () => {
  const busy = new Map<string, number>();
  await onLanes(['left', 'right'], turns(['a', 'b', 'c', 'd'], 0), async (_, lane) => {
    busy.set(lane, (busy.get(lane) ?? 0) + 1);
    expect(busy.get(lane)).toBe(1);
    await Promise.resolve();
    busy.set(lane, 0);
  });
  expect([...busy.keys()]).toEqual(['left', 'right']);
});

test('when one throws, what is under way ends, nothing begins, and the error comes out', async () => {
  const seen: string[] = [];
  const all = onLanes(['left', 'right'], turns(['a', 'b', 'c'], 0), async ({ name }) => {
    if (name === 'a') throw new Error('rig');
    await new Promise((resolve) => setTimeout(resolve, 20));
    seen.push(name);
  });
  await expect(all).rejects.toThrow('rig');
  expect(seen).toEqual(['b']);
});
