/** Words behind `npm start -- spec`: ids (COW-01) or groups (COW). Pure. */
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import type { Spec } from './load.js';

export function groupOf(id: string): string {
  return id.slice(0, id.indexOf('-'));
}

/** The table with only what the words name; all of it without words. Throws UsageError for a word that names nothing. */
export function filterSpec(spec: Spec, words: readonly string[]): Spec {
  if (words.length === 0) return spec;
  const wanted = words.map((word) => word.toUpperCase());
  const names = ({ id }: { readonly id: string }, word: string) => id === word || groupOf(id) === word;
  const unknown = wanted.find((word) => !spec.behaviours.some((one) => names(one, word)));
  if (unknown !== undefined) {
    const known = [...new Set(spec.behaviours.map(({ id }) => groupOf(id))), ...spec.behaviours.map(({ id }) => id)];
    throw new UsageError(`"${unknown}" is no id or group of the table: ${didYouMean(unknown, known)}`);
  }
  return { ...spec, behaviours: spec.behaviours.filter((one) => wanted.some((word) => names(one, word))) };
}
