/** Words that mean lines of the spec, behind `npm start -- spec` and --spec: ids (COW-01) or groups (COW), in any case. Pure. */
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import type { Spec } from './load.js';

export function groupOf(id: string): string {
  return id.slice(0, id.indexOf('-'));
}

/** Whether the word is this id, or the group that it is of. */
export function means(word: string, id: string): boolean {
  return [id, groupOf(id)].includes(word.toUpperCase());
}

/** The words that a message may suggest. */
export function idsAndGroups(ids: readonly string[]): string[] {
  return [...new Set([...ids, ...ids.map(groupOf)])];
}

/** The table with only what the words name; all of it without words. Throws UsageError for a word that names nothing. */
export function filterSpec(spec: Spec, words: readonly string[]): Spec {
  if (words.length === 0) return spec;
  const unknown = words.find((word) => !spec.behaviours.some(({ id }) => means(word, id)));
  if (unknown !== undefined) {
    const known = idsAndGroups(spec.behaviours.map(({ id }) => id));
    throw new UsageError(`"${unknown}" is no id or group of the table: ${didYouMean(unknown, known, 'npm start -- spec')}`);
  }
  return { ...spec, behaviours: spec.behaviours.filter(({ id }) => words.some((word) => means(word, id))) };
}
