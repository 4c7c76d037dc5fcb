/** suites/canaries.yaml: known bugs and the test that is sure to see each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readYaml } from '../../vm/index.js';
import { UsageError } from '../cli/exit-codes.js';
import { readMutants, type Mutant } from '../mutants/load.js';
import type { Collected, KnownTest } from '../select/collect.js';
import { select } from '../select/select.js';
import { readSpec } from '../spec/load.js';

export const canariesFile = 'suites/canaries.yaml';

export interface Canary {
  readonly mutant: Mutant;
  readonly test: KnownTest;
}

interface Entry {
  readonly mutant: string;
  /** `file > test name`. */
  readonly test: string;
}

/** Pure: text to entries, or ConfigError. */
export function parseCanaries(text: string, path: string): Entry[] {
  const { contents, reader } = readYaml(text, path);
  const { canaries } = reader.fields(contents, ['canaries']);
  return reader.list(canaries, 'a list of canaries').map((node) => {
    const { mutant, test } = reader.fields(node, ['mutant', 'test']);
    return {
      mutant: reader.text(mutant, 'the name of a mutant of the module', /^module\/[a-z0-9-]+$/),
      test: reader.text(test, 'a file > test name', / > /),
    };
  });
}

/** Throws UsageError for an entry whose mutant or test is not there, or whose test names none of the mutant's ids. */
export function readCanaries(root: string, all: Collected): Canary[] {
  const mutants = readMutants(root, readSpec(root));
  return parseCanaries(readFileSync(join(root, canariesFile), 'utf8'), canariesFile).map((entry) => {
    const mutant = mutants.find(({ name }) => name === entry.mutant);
    if (mutant === undefined) throw new UsageError(`${canariesFile}: there is no mutant ${entry.mutant}`);
    const tests = testsOf(entry.test, all);
    const [test] = tests;
    if (test === undefined || tests.length > 1) throw new UsageError(`${canariesFile}: "${entry.test}" means ${tests.length} tests, not one`);
    if (!test.specIds.some((id) => mutant.specIds.includes(id))) {
      throw new UsageError(`${canariesFile}: "${entry.test}" names no id of ${mutant.name} (${mutant.specIds.join(' ')})`);
    }
    return { mutant, test };
  });
}

function testsOf(word: string, all: Collected): readonly KnownTest[] {
  try {
    return select([word], all).tests;
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${canariesFile}: ${error.message}`);
    throw error;
  }
}
