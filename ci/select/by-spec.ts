/** Tests by the ids of the spec that they name. */
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import { idsAndGroups, means } from '../spec/filter.js';
import type { Selection } from './select.js';

/** Of the selection, the tests that name one of the ids, or one of a group; all of it when no word is given. Throws UsageError
 *  for a word that means no id of them. */
export function selectBySpec(words: readonly string[], { tests, broken }: Selection): Selection {
  if (words.length === 0) return { tests, broken };
  const named = tests.flatMap(({ specIds }) => specIds);
  const unknown = words.find((word) => !named.some((id) => means(word, id)));
  if (unknown !== undefined) {
    throw new UsageError(`no selected test names the id "${unknown}": ${didYouMean(unknown, idsAndGroups(named))}`);
  }
  return { tests: tests.filter(({ specIds }) => specIds.some((id) => words.some((word) => means(word, id)))), broken };
}
