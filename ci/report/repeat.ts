/** The one line that runs a test again with the same choices. */

export interface RepeatChoices {
  readonly seed: number;
  readonly line: string;
  readonly flavour: string;
  readonly moduleDir: string | undefined;
  readonly driver?: string | undefined;
}

export function repeatSuiteTest(file: string, name: string, choices: RepeatChoices): string {
  const words = ['npm', 'start', '--', `${file} > ${name}`, '--seed', String(choices.seed)];
  words.push('--line', choices.line, '--flavour', choices.flavour);
  if (choices.moduleDir !== undefined) words.push('--module', choices.moduleDir);
  if (choices.driver !== undefined) words.push('--driver', choices.driver);
  return words.map(quote).join(' ');
}

export function repeatUnitTest(file: string, name: string): string {
  // Vitest takes -t as a regular expression over the names joined by spaces.
  const pattern = name.replaceAll(' > ', ' ').replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return ['npm', 'run', 'unit', '--', file, '-t', pattern].map(quote).join(' ');
}

/** For a POSIX shell. */
export function quote(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Makes the repeat line of a test. */
export type Repeat = (file: string, name: string) => string;
