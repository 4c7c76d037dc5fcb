/** The mutants there are (suites/mutants/), and which of them words on the command line mean. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import { means } from '../spec/filter.js';
import type { Spec } from '../spec/load.js';
import { parseHead, type MutantHead } from './head.js';

export interface Mutant extends MutantHead {
  /** Kind and file name, such as `module/copy-after-write`. */
  readonly name: string;
  /** By which it is known from one run to the next: the name, without what moves as the code does. */
  readonly key: string;
  /** What the patch is applied to: the module, or the patched kernel. */
  readonly kind: 'module' | 'kernel';
  /** Path from the root of the repository. */
  readonly file: string;
  readonly path: string;
}

export const mutantsFolder = 'suites/mutants';
const kinds = ['module', 'kernel'] as const;

/** Those of the module come first: they cost seconds. Throws ConfigError for a head that is wrong. */
export function readMutants(root: string, { behaviours }: Pick<Spec, 'behaviours'>): Mutant[] {
  const ids = new Set(behaviours.map(({ id }) => id));
  return kinds.flatMap((kind) => {
    const folder = join(root, mutantsFolder, kind);
    const files = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.endsWith('.patch')).sort();
    return files.map((base): Mutant => {
      const file = `${mutantsFolder}/${kind}/${base}`;
      const path = join(root, file);
      const name = `${kind}/${base.replace(/\.patch$/, '')}`;
      return { name, key: name, kind, file, path, ...parseHead(readFileSync(path, 'utf8'), file, ids) };
    });
  });
}

/** A word is a kind, an id of the spec or a group (COW), a name or a part of one. Throws UsageError for a word that means none. */
export function selectMutants(words: readonly string[], all: readonly Mutant[]): readonly Mutant[] {
  if (words.length === 0) return all;
  const chosen = new Set(words.flatMap((word) => {
    const found = matches(word.replace(/^\.\//, '').replace(`${mutantsFolder}/`, '').replace(/\.patch$/, ''), all);
    if (found.length === 0) throw new UsageError(`"${word}" is no mutant and no id that one names: ${didYouMean(word, all.map(({ name }) => name), 'mutants --list')}`);
    return found;
  }));
  return all.filter((mutant) => chosen.has(mutant));
}

function matches(word: string, all: readonly Mutant[]): readonly Mutant[] {
  const exact = all.filter(({ kind, name, specIds }) => kind === word || name === word || name.split('/')[1] === word
    || specIds.some((id) => means(word, id)));
  return exact.length > 0 ? exact : all.filter(({ name }) => name.includes(word));
}
