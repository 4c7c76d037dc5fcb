/** From the words on the command line to tests. A word is a suite, a file, `file > test name`, or part of a name. */
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import type { Collected, KnownTest } from './collect.js';

export interface Selection {
  readonly tests: readonly KnownTest[];
  /** Selected files that do not load; they end as rig errors. */
  readonly broken: Collected['broken'];
}

/** Throws UsageError for a word that names nothing, with the nearest real names. */
export function select(words: readonly string[], all: Collected): Selection {
  if (words.length === 0) return all;
  const tests = new Set<KnownTest>();
  const broken = new Set<Collected['broken'][number]>();
  for (const word of words) {
    const found = matches(word, all.tests);
    const [filePart = ''] = word.split(' > ');
    const brokenFound = all.broken.filter(({ file }) => isFile(filePart, file) || isSuite(word, file.split('/')[1] ?? ''));
    if (found.length === 0 && brokenFound.length === 0) throw new UsageError(unknown(word, all));
    found.forEach((test) => tests.add(test));
    brokenFound.forEach((file) => broken.add(file));
  }
  return { tests: all.tests.filter((test) => tests.has(test)), broken: [...broken] };
}

function matches(word: string, tests: readonly KnownTest[]): KnownTest[] {
  const bySuite = tests.filter(({ suite }) => isSuite(word, suite));
  if (bySuite.length > 0) return bySuite;
  const byFile = tests.filter(({ file }) => isFile(word, file));
  if (byFile.length > 0) return byFile;
  const [filePart = '', ...nameParts] = word.split(' > ');
  const inFile = tests.filter(({ file }) => isFile(filePart, file));
  return inFile.length > 0 && nameParts.length > 0 ? byName(nameParts.join(' > '), inFile) : byName(word, tests);
}

/** A full name means that test alone, though it may be part of longer names. */
function byName(word: string, tests: readonly KnownTest[]): KnownTest[] {
  const exact = tests.filter(({ name }) => name === word);
  if (exact.length > 0) return exact;
  const wanted = word.toLowerCase();
  return tests.filter(({ name }) => name.toLowerCase().includes(wanted));
}

function isSuite(word: string, suite: string): boolean {
  const trimmed = word.replace(/^(\.\/)?suites\//, '').replace(/\/+$/, '');
  return trimmed === suite || suite.startsWith(`${trimmed}/`);
}

function isFile(word: string, file: string): boolean {
  const trimmed = word.replace(/^\.\//, '').replace(/^suites\//, '');
  const inSuites = file.replace(/^suites\//, '');
  const base = inSuites.split('/').at(-1) ?? '';
  const endings = ['', '.test.ts', '.ts'];
  return endings.some((ending) => `${trimmed}${ending}` === inSuites || `${trimmed}${ending}` === base);
}

function unknown(word: string, { tests }: Collected): string {
  const names = [...tests.map(({ suite }) => suite), ...tests.map(({ file }) => file), ...tests.map(({ name }) => name)];
  return `"${word}" is no suite, file or test name: ${didYouMean(word, names)}`;
}
