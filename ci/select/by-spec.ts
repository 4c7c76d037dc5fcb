/** Tests by the ids of the spec that they name. */
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import type { Selection } from './select.js';

/** Of the selection, the tests that name one of the ids; all of it when no id is given. Throws UsageError for an id
 *  that none of them names. */
export function selectBySpec(ids: readonly string[], { tests, broken }: Selection): Selection {
  if (ids.length === 0) return { tests, broken };
  const named = tests.flatMap(({ specIds }) => specIds);
  const unknown = ids.find((id) => !named.includes(id));
  if (unknown !== undefined) throw new UsageError(`no selected test names the id "${unknown}": ${didYouMean(unknown, named)}`);
  return { tests: tests.filter(({ specIds }) => specIds.some((id) => ids.includes(id))), broken };
}
