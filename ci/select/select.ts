/** From the words on the command line to tests. A word is a suite, a file, `file > test name`, `suite > test name` as
 *  reports have it, or part of a name. */
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';
import { means } from '../spec/filter.js';
import type { Collected, KnownTest } from './collect.js';
import { isLong } from './long.js';

export interface Selection {
  readonly tests: readonly KnownTest[];
  /** Selected files that do not load; they end as rig errors. */
  readonly broken: Collected['broken'];
}

export interface SelectOptions {
  /** A part of a name takes long tests along, though others match. */
  readonly long?: boolean;
  /** What else the first word may have been meant to be. */
  readonly commands?: readonly string[];
}

/** Throws UsageError for a word that names nothing, with the nearest real names. */
export function select(words: readonly string[], all: Collected, { long = false, commands = [] }: SelectOptions = {}): Selection {
  if (words.length === 0) return all;
  const tests = new Set<KnownTest>();
  const broken = new Set<Collected['broken'][number]>();
  for (const [at, word] of words.entries()) {
    const found = matches(word, all.tests, long);
    const [filePart = ''] = word.split(' > ');
    const brokenFound = all.broken.filter(({ file }) => isFile(filePart, file) || isSuite(word, file.split('/')[1] ?? ''));
    if (found.length === 0 && brokenFound.length === 0) throw new UsageError(unknown(word, all, at === 0 ? commands : []));
    found.forEach((test) => tests.add(test));
    brokenFound.forEach((file) => broken.add(file));
  }
  return { tests: all.tests.filter((test) => tests.has(test)), broken: [...broken] };
}

function matches(word: string, tests: readonly KnownTest[], long: boolean): KnownTest[] {
  const bySuite = tests.filter(({ suite }) => isSuite(word, suite));
  if (bySuite.length > 0) return bySuite;
  const byFile = tests.filter(({ file }) => isFile(word, file));
  if (byFile.length > 0) return byFile;
  const [filePart = '', ...nameParts] = word.split(' > ');
  const within = tests.filter(({ file, suite }) => isFile(filePart, file) || isSuite(filePart, suite));
  return within.length > 0 && nameParts.length > 0 ? byName(nameParts.join(' > '), within, true) : byName(word, tests, long);
}

/** A full name means that test alone, though it may be part of longer names. A part of names means long tests only when they are
 *  wanted, or when there are no others. */
function byName(word: string, tests: readonly KnownTest[], long: boolean): KnownTest[] {
  const exact = tests.filter(({ name }) => name === word);
  if (exact.length > 0) return exact;
  const wanted = word.toLowerCase();
  const found = tests.filter(({ name }) => name.toLowerCase().includes(wanted));
  const short = found.filter(({ file }) => !isLong(file));
  return long || short.length === 0 ? found : short;
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

function unknown(word: string, { tests }: Collected, commands: readonly string[]): string {
  const [filePart = '', ...nameParts] = word.split(' > ');
  const [inFile, inSuite] = [tests.filter(({ file }) => isFile(filePart, file)), tests.filter(({ suite }) => isSuite(filePart, suite))];
  const within = inFile.length > 0 ? inFile : inSuite;
  if (within.length > 0) {
    const places = inFile.length > 0 ? [...new Set(inFile.map(({ file }) => file))].join(' or ') : filePart;
    const name = nameParts.join(' > ');
    return `"${name}" is no test of ${places}: ${didYouMean(name, within.map((one) => one.name))}`;
  }
  const isOfSpec = tests.some(({ specIds }) => specIds.some((id) => means(word, id)));
  if (isOfSpec) return `"${word}" is an id of the spec, or a group of them: use --spec ${word.toUpperCase()}`;
  const names = [...commands, ...(['suite', 'file', 'name'] as const).flatMap((what) => tests.map((test) => test[what]))];
  return `"${word}" is no suite, file or test name: ${didYouMean(word, names)}`;
}
