/** Sequences of the explorer: made from a seed, shrunk, told, counted. */
import { expect, test } from 'vitest';
import { coverageOf, Coverage } from '../../explorer/coverage.js';
import { generate } from '../../explorer/generate.js';
import { Model } from '../../explorer/model.js';
import { perform } from '../../explorer/perform.js';
import { literal, scriptLines, testFile } from '../../explorer/script.js';
import { shrink, simplerOnes } from '../../explorer/shrink.js';
import type { Sequence, Step } from '../../explorer/steps.js';
import { exploreHelp, parseExploreCli } from '../../../ci/explore/options.js';

const names = { devices: [], store: '', folder: '', module: '' };
const some = Array.from({ length: 40 }, (_, seed) => generate(seed, 60));

function cover(sequences: readonly Sequence[]): Coverage {
  const coverage = new Coverage();
  for (const { params, steps } of sequences) {
    const model = new Model(params);
    for (const step of steps) {
      const before = coverageOf(model);
      const first = perform(model, names, step)[0]?.errno;
      coverage.note(before, step, typeof first === 'number' ? first : first?.[0], coverageOf(model));
    }
  }
  return coverage;
}

test('a seed makes the same sequence again, and another seed another one', () => {
  expect(generate(7, 50)).toEqual(generate(7, 50));
  expect(generate(7, 50)).not.toEqual(generate(8, 50));
});

test('most steps succeed, refused ones come too, and every word of the vocabulary is used', () => {
  const { steps, states } = cover(some).numbers();
  expect(Object.keys(steps)).toHaveLength(22);
  const outcomes = Object.values(steps).flatMap((one) => Object.entries(one));
  const sum = (of: typeof outcomes): number => of.reduce((total, [, count]) => total + count, 0);
  expect(sum(outcomes.filter(([outcome]) => outcome === 'success')) / sum(outcomes)).toBeGreaterThan(0.6);
  for (const refused of ['ENOENT', 'ESRCH', 'EBUSY', 'EALREADY', 'ENODEV', 'ENOSPC', 'EINVAL', 'EIO', 'EAGAIN', 'ENODATA']) {
    expect(outcomes.map(([outcome]) => outcome)).toContain(refused);
  }
  for (const state of ['gone', 'plain', 'tracked', 'held, copied in part', 'lost by ENOSPC', 'lost by ENXIO, resized']) expect(Object.keys(states)).toContain(state);
});

test('coverage counts states, outcomes and transitions', () => {
  const table = cover([{ params: { chunkShift: 12, blockShift: 12, portion: 64 }, steps: [{ do: 'attach', dev: 0 }, { do: 'attach', dev: 0 }] }]).table();
  expect(table.map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
    'states of a device, after how many steps:', 'plain 4', 'tracked 2', '',
    'steps, and what came of them:', 'attach EALREADY 1, success 1', '',
    'transitions, 1 different:', 'plain -- attach --> tracked 1',
  ]);
});

test('what does not matter is dropped, and what matters made simple', async () => {
  const noise: Step[] = Array.from({ length: 20 }, (_, at) => ({ do: 'zero', dev: 1, at, count: 9 }));
  const needed: Step[] = [{ do: 'attach', dev: 0 }, { do: 'write', dev: 0, at: 700, count: 300, mode: 'buffered' }, { do: 'detach', dev: 0 }];
  const steps = [...noise, needed[0] as Step, ...noise, needed[1] as Step, { do: 'check' }, needed[2] as Step, ...noise] satisfies Step[];
  const isNeeded = (all: readonly Step[]): boolean => {
    const kinds = all.map((step) => (step.do === 'write' && step.at <= 750 && step.at + step.count > 750 ? 'hit' : step.do));
    return kinds.indexOf('attach') >= 0 && kinds.indexOf('hit') > kinds.indexOf('attach') && kinds.lastIndexOf('detach') > kinds.indexOf('hit');
  };
  const { sequence, attempts } = await shrink({ params: { chunkShift: 12, blockShift: 12, portion: 64 }, steps }, steps.length - noise.length, async (one) => isNeeded(one.steps));
  expect(sequence.steps.map(({ do: kind }) => kind)).toEqual(['attach', 'write', 'detach']);
  expect(isNeeded(sequence.steps)).toBe(true);
  expect(sequence.steps[1]).toMatchObject({ mode: 'direct' });
  expect(attempts).toBeLessThan(80);
});

test('nothing is tried twice, and nothing after time is over', async () => {
  const sequence = some[0] as Sequence;
  const tried: string[] = [];
  await shrink(sequence, 60, async (one) => { tried.push(JSON.stringify(one)); return false; });
  expect(new Set(tried).size).toBe(tried.length);
  const { attempts } = await shrink(sequence, 60, async () => true, () => true);
  expect(attempts).toBe(0);
});

test('making simpler comes to an end for every step', () => {
  for (const step of some.flatMap(({ steps }) => steps)) {
    let now: readonly Step[] = [step];
    for (let round = 0; now.length > 0; round++) {
      expect(round).toBeLessThan(200);
      now = now.flatMap((one) => simplerOnes(one).at(-1) ?? []).slice(0, 1);
    }
  }
});

test('a script has a line for each step, and the test file the steps themselves', () => {
  const sequence = some[3] as Sequence;
  expect(scriptLines(sequence)).toHaveLength(61);
  const text = testFile(sequence, 3, 'device 0: wrong */');
  expect(text.startsWith('/**\n * Found by the explorer, sequence 3: device 0: wrong * /\n')).toBe(true);
  for (const step of sequence.steps) expect(text).toContain(literal(step));
  expect(literal({ a: [1, 'b'] })).toBe("{ a: [1, 'b'] }");
});

test('explore takes its own options and those of npm start', () => {
  const options = parseExploreCli(['--minutes', '3', '--seed=9', '--jobs', '2', '--flavour', 'debug', '--steps=30']);
  expect(options).toMatchObject({ minutes: 3, seed: 9, jobs: 2, flavour: 'debug', steps: 30, sequence: undefined });
  expect(parseExploreCli(['--sequence', '0']).sequence).toBe(0);
  for (const words of [['--minutes'], ['--minutes', '0'], ['--steps', 'x'], ['cow'], ['--repeat', '2'], ['--list'], ['--sequence', '-1']]) {
    expect(() => parseExploreCli(words)).toThrow();
  }
  expect(exploreHelp).toContain('--sequence N');
});
