/** suites/mutants/equivalent.yaml: systematic changes that nobody could ever tell from the code as it is, each with the argument.
 *  It is there once there is one. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readYaml } from '../../../vm/index.js';
import type { PlacedChange } from './choose.js';

export const equivalentFile = 'suites/mutants/equivalent.yaml';

export interface Equivalent {
  readonly file: string;
  readonly function: string;
  readonly code: string;
  readonly what: string;
  readonly why: string;
}

export function readEquivalents(root: string): Equivalent[] {
  const path = join(root, equivalentFile);
  return existsSync(path) ? parseEquivalents(readFileSync(path, 'utf8'), equivalentFile) : [];
}

/** Pure: text to entries, or ConfigError. */
export function parseEquivalents(text: string, path: string): Equivalent[] {
  const { contents, reader } = readYaml(text, path);
  const { equivalent } = reader.fields(contents, ['equivalent']);
  return reader.list(equivalent, 'a list of changes').map((node) => {
    const fields = reader.fields(node, ['file', 'function', 'code', 'what', 'why']);
    return {
      file: reader.text(fields.file, 'a C file of module/', /\.c$/),
      function: reader.text(fields.function, 'the name of a function', /^\w+$/),
      code: reader.text(fields.code, 'the line as it is, without its indentation', /\S/),
      what: reader.text(fields.what, 'what is changed, as the table says it', /\S/),
      why: reader.text(fields.why, 'why nobody can see it', /\S{3}/),
    };
  });
}

/** The argument, if there is one for this change. */
export function whyEquivalent(change: PlacedChange, known: readonly Equivalent[]): string | undefined {
  const { file, function: name, code, what } = change;
  return known.find((one) => one.file === file && one.function === name && one.code === code && one.what === what)?.why;
}

/** Entries that mean no change of the code as it is now. */
export function staleEquivalents(known: readonly Equivalent[], changes: readonly PlacedChange[]): Equivalent[] {
  return known.filter((one) => !changes.some((change) => whyEquivalent(change, [one]) !== undefined));
}
