/** Tests that somebody does not want to run: they stay in the report, skipped, with the word that named them as the reason. */
import { select, type Selection } from './select.js';

/** Pure: by the test's id, the first of the words that names it. Throws UsageError for a word that names no test of all. */
export function excludedBy(words: readonly string[], all: Selection): ReadonlyMap<string, string> {
  const named = words.toReversed().flatMap((word) => select([word], all, { long: true }).tests.map(({ id }) => [id, word] as const));
  return new Map(named);
}

/** Pure: what runs all the same. */
export function without({ tests, broken }: Selection, excluded: ReadonlyMap<string, string>): Selection {
  return { tests: tests.filter(({ id }) => !excluded.has(id)), broken };
}
