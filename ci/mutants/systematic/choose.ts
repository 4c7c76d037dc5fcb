/** Which of the many systematic changes are tried: by the seed, and spread over the code, so that each function has its turn before
 *  one has its second. Pure. */
import { hashOrder } from '../../select/hash-order.js';
import { findChanges, type Change } from './changes.js';

export interface PlacedChange extends Change {
  /** Below module/. */
  readonly file: string;
  /** From 1: of those that are alike in file, function, code and what. */
  readonly nth: number;
}

/** All there are, in the order of files and places. Sources by file name. */
export function allChanges(sources: ReadonlyMap<string, string>): PlacedChange[] {
  const seen = new Map<string, number>();
  return [...sources].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([file, text]) => findChanges(text).map((change) => {
    const alike = JSON.stringify([file, change.function, change.code, change.what]);
    const nth = (seen.get(alike) ?? 0) + 1;
    seen.set(alike, nth);
    return { ...change, file, nth };
  }));
}

/** For people, who look it up by its line. */
export function changeName({ file, function: name, line, what, nth }: PlacedChange): string {
  return `systematic/${file}:${line} ${name}: ${what}${nth > 1 ? ` (${nth})` : ''}`;
}

/** Those that a word calls: the one of this name, or all whose names begin so, with a file, its line, or the function there. */
export function calledBy<C extends PlacedChange>(changes: readonly C[], word: string): C[] {
  const exactly = changes.filter((change) => changeName(change) === word);
  return exactly.length > 0 ? exactly : changes.filter((change) => [':', ' '].some((end) => changeName(change).startsWith(`${word}${end}`)));
}

/** Unique wherever the line moves, and as long as it stays as it is. */
export function changeKey({ file, function: name, code, what, nth }: PlacedChange): string {
  return `systematic/${file} ${name}: ${what}${nth > 1 ? ` (${nth})` : ''}: ${code}`;
}

export function inTurn(changes: readonly PlacedChange[], seed: number): PlacedChange[] {
  const mixed = hashOrder(changes, ({ file, function: name, code, what, nth }) => JSON.stringify([seed, file, name, code, what, nth]));
  const rounds = new Map<string, number>();
  const placed = mixed.map((change) => {
    const own = `${change.file} ${change.function}`;
    const round = rounds.get(own) ?? 0;
    rounds.set(own, round + 1);
    return { change, round };
  });
  return placed.sort((a, b) => a.round - b.round).map(({ change }) => change);
}
