/** The one line that runs a test, or a whole run, again with the same choices. */

export interface RepeatChoices {
  readonly seed: number;
  readonly line: string;
  readonly flavour: string;
  readonly moduleDir: string | undefined;
  readonly driver?: string | undefined;
}

/** Without a name the whole file, without a file the whole run. */
export function repeatSuiteTest(file: string, name: string | undefined, choices: RepeatChoices): string {
  return repeatRun(file === '' ? [] : [name === undefined ? file : `${file} > ${name}`], choices);
}

/** `selected` are words and options that stand before the choices. */
export function repeatRun(selected: readonly string[], choices: RepeatChoices, script: 'start' | 'test' = 'start'): string {
  const words = ['npm', script, '--', ...selected, '--seed', String(choices.seed)];
  words.push('--line', choices.line, '--flavour', choices.flavour);
  if (choices.moduleDir !== undefined) words.push('--module', choices.moduleDir);
  if (choices.driver !== undefined) words.push('--driver', choices.driver);
  return words.map(quote).join(' ');
}

interface Selected {
  readonly selection: readonly string[];
  readonly specIds: readonly string[];
  readonly exclude: readonly string[];
}

/** What was selected, as words of the command line. */
export function wordsOf({ selection, specIds, exclude }: Selected): string[] {
  return [...selection, ...specIds.flatMap((id) => ['--spec', id]), ...exclude.flatMap((word) => ['--exclude', word])];
}

export function repeatUnitTest(file: string, name?: string): string {
  if (name === undefined) return ['npm', 'run', 'unit', '--', file].filter(Boolean).map(quote).join(' ');
  // Vitest takes -t as a regular expression over the names joined by spaces.
  const pattern = name.replaceAll(' > ', ' ').replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return ['npm', 'run', 'unit', '--', file, '-t', pattern].map(quote).join(' ');
}

/** For a POSIX shell. */
export function quote(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Makes the repeat line of a test; without a name, of its file. */
export type Repeat = (file: string, name?: string) => string;
