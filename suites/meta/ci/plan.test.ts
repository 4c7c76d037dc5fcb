/** Shards split a run evenly and completely, the same way everywhere; rounds have a seed each. Method: every number of
 *  tests and of shards up to a bound, on made-up lists. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../ci/cli/exit-codes.js';
import { makePlan, type Part } from '../../../ci/select/plan.js';
import { roundsOf } from '../../../ci/select/rounds.js';
import type { KnownTest } from '../../../ci/select/collect.js';

const testsMax = 25;
const shardsMax = 8;

const known = (at: number): KnownTest =>
  ({ id: `${at}`, file: `suites/cow/${at % 3}.test.ts`, suite: 'cow', name: `test ${at % 7}`, specIds: [], moduleId: '/m' });
const part = (count: number, label?: string): Part => ({
  selection: { tests: Array.from({ length: count }, (_, at) => known(at)), broken: [] },
  variant: label === undefined ? undefined : { label, facts: {} },
});
const shard = (index: number, count: number) => ({ index, count });
const positions = (parts: readonly Part[]) => parts.flatMap(({ selection }) => selection.tests.map(({ position }) => position ?? 0));

describe('shards', () => {
  test('have every test exactly once, and none has more than one test more than another', () => {
    for (let tests = 1; tests <= testsMax; tests++) {
      for (let count = 1; count <= Math.min(tests * 2, shardsMax); count++) {
        const parts = [part(tests), part(tests, 'debug')];
        const shards = Array.from({ length: count }, (_, at) => positions(makePlan(parts, shard(at + 1, count)).parts));
        const sizes = shards.map(({ length }) => length);
        expect(shards.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: tests * 2 }, (_, at) => at + 1));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  });

  test('know the size and the digest of the whole list, which are the same in each', () => {
    const plans = [1, 2, 3].map((index) => makePlan([part(10)], shard(index, 3)));
    expect(plans.map(({ total }) => total)).toEqual([10, 10, 10]);
    expect(new Set(plans.map(({ digest }) => digest)).size).toBe(1);
  });

  test.for([
    ['one test more', [part(11)]],
    ['another order', [{ selection: { tests: [...part(10).selection.tests].reverse(), broken: [] } }]],
    ['a second flavour', [part(10), part(10, 'debug')]],
    ['another flavour', [part(10, 'debug')]],
  ] as const)('of a list with %s have another digest', ([, parts]) => {
    expect(makePlan(parts, shard(1, 1)).digest).not.toBe(makePlan([part(10)], shard(1, 1)).digest);
  });

  test('share out files that do not load, so that each is told once', () => {
    const broken = ['a', 'b', 'c'].map((file) => ({ file, moduleId: file, error: 'no' }));
    const shards = [1, 2].map((index) => makePlan([{ selection: { ...part(4).selection, broken } }], shard(index, 2)));
    expect(shards.flatMap(({ parts }) => parts.flatMap(({ selection }) => selection.broken)).map(({ file }) => file).sort()).toEqual(['a', 'b', 'c']);
  });

  test('more than tests are refused, in each of them alike', () => {
    for (const index of [1, 3]) expect(() => makePlan([part(2)], shard(index, 3))).toThrow(UsageError);
  });
});

describe('rounds', () => {
  test('one round is the run itself', () => {
    expect(roundsOf(7, 1)).toEqual([{ seed: 7, variant: undefined }]);
  });

  test('each has a seed of its own that is the same again, the first the run\'s', () => {
    const seeds = roundsOf(4_294_967_295, 1000).map(({ seed }) => seed);
    expect(seeds[0]).toBe(4_294_967_295);
    expect(new Set(seeds).size).toBe(1000);
    expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)).toBe(true);
    expect(roundsOf(4_294_967_295, 3).map(({ seed }) => seed)).toEqual(seeds.slice(0, 3));
  });

  test('say their number and seed in the report', () => {
    expect(roundsOf(7, 2)[1]?.variant).toEqual({ label: 'round 2', facts: { seed: String(7 + 0x9e3779b1), round: '2' } });
  });
});
