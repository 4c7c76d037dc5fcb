/** The tests that npm test runs once more on a kernel that watches itself: suites/core.yaml. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readYaml } from '../../vm/index.js';
import { UsageError } from '../cli/exit-codes.js';
import type { Collected } from './collect.js';
import { select, type Selection } from './select.js';

export const coreFile = 'suites/core.yaml';

export interface Core {
  readonly flavour: string;
  /** Words as on the command line. */
  readonly tests: readonly string[];
}

export function readCore(root: string): Core {
  return parseCore(readFileSync(join(root, coreFile), 'utf8'), coreFile);
}

/** Pure: text to core, or ConfigError. */
export function parseCore(text: string, path: string): Core {
  const { contents, reader } = readYaml(text, path);
  const { flavour, tests } = reader.fields(contents, ['flavour', 'tests']);
  return {
    flavour: reader.text(flavour, 'the name of a flavour', /^[a-z][a-z0-9-]*$/),
    tests: reader.list(tests, 'a list of tests').map((node) => {
      const { test, why } = reader.fields(node, ['test', 'why']);
      reader.text(why, 'what of the code it takes along', /\S/);
      return reader.text(test, 'a suite, a file or a part of names', /\S/);
    }),
  };
}

/** Throws UsageError for an entry that names no test any more. */
export function selectCore(core: Core, all: Collected): Selection {
  try {
    return select(core.tests, all);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${coreFile}: ${error.message}`);
    throw error;
  }
}

/** Words of the command line in which `core` stands for the whole list. */
export function withCore(words: readonly string[], root: string): string[] {
  return words.flatMap((word) => (word === 'core' ? readCore(root).tests : [word]));
}
