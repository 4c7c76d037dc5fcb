/** Which tests are likely to see a change: those that have killed mutants near it, and those of the unit that it is in. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { changedLines } from '../reach/hunks.js';
import type { Killers } from './killers.js';
import type { Mutant } from './load.js';
import { changeKey } from './systematic/choose.js';
import { changesIn } from './systematic/make.js';

/** Where a mutant is that was killed, and by which test. */
export interface Kill {
  readonly file: string;
  readonly line: number;
  /** `file > test name`. */
  readonly test: string;
}

/** Of all mutants that there are, written and systematic, by their keys. */
export type Places = ReadonlyMap<string, Omit<Kill, 'test'>>;

export function mutantPlaces(written: readonly Mutant[], moduleDir: string): Places {
  const places = new Map(changesIn(moduleDir).map((change) => [changeKey(change), { file: `module/${change.file}`, line: change.line }]));
  for (const { key, path } of written) {
    const [place] = changedLines(readFileSync(path, 'utf8'));
    if (place !== undefined) places.set(key, place);
  }
  return places;
}

/** Pure. */
export function killsOf(killers: Killers, places: Places): Kill[] {
  return [...killers].flatMap(([key, test]) => {
    const place = places.get(key);
    return place === undefined ? [] : [{ ...place, test }];
  });
}

/** Pure: tests that kill, each once; those of the same file first, by how many lines they are away from what the patch changes. */
export function nearest(kills: readonly Kill[], patch: string): string[] {
  const [at] = changedLines(patch);
  const distance = ({ file, line }: Kill) => (file === at?.file ? Math.abs(line - at.line) : Infinity);
  const away = new Map<string, number>();
  for (const kill of kills) away.set(kill.test, Math.min(distance(kill), away.get(kill.test) ?? Infinity));
  return [...away].sort(([a, near], [b, far]) => (near === far ? (a < b ? -1 : 1) : near - far)).map(([test]) => test);
}

/** Pure: of these, as `file > test name`, the KUnit cases of the unit that the patch changes; one guest runs them all. */
export function ofUnit(tests: readonly string[], patch: string): string[] {
  const unit = basename(changedLines(patch)[0]?.file ?? '', '.c');
  return tests.filter((test) => /^suites\/kunit\/.* > blksnap_(\w+) > /.exec(test)?.[1] === unit);
}
