/** suites/mutants/killers.yaml: which test killed each mutant when that was last written down. It is tried first: an order, and no
 *  verdict. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readYaml, writeYaml } from '../../vm/index.js';
import type { MutantResult } from './results.js';

export const killersFile = 'suites/mutants/killers.yaml';

const head = `# Which test killed each mutant when somebody last wrote it down (npm start -- mutants --remember). It is tried first, so that
# trying them all takes less long: an order, and no verdict. What stands here and is gone does no harm, and goes the next time.
#   test    file > test name
#   kills   mutants by their names; systematic ones by file, function, change and line
`;

/** From the key of a mutant to `file > test name`. */
export type Killers = ReadonlyMap<string, string>;

export function readKillers(root: string): Killers {
  const path = join(root, killersFile);
  return existsSync(path) ? parseKillers(readFileSync(path, 'utf8'), killersFile) : new Map();
}

/** Pure: text to pairs, or ConfigError. */
export function parseKillers(text: string, path: string): Killers {
  const { contents, reader } = readYaml(text, path);
  const { killers } = reader.fields(contents, ['killers']);
  return new Map(reader.list(killers, 'a list of tests').flatMap((node) => {
    const { test, kills } = reader.fields(node, ['test', 'kills']);
    const name = reader.text(test, 'a file > test name', / > /);
    return reader.list(kills, 'a list of mutants').map((one) => [reader.text(one, 'a mutant', /\//), name] as const);
  }));
}

/** Pure: by test and mutant, so that a change of one is a change of one line. */
export function killersText(killers: Killers): string {
  const byTest = new Map<string, string[]>();
  for (const [key, test] of [...killers].sort()) byTest.set(test, [...(byTest.get(test) ?? []), key]);
  const list = [...byTest].sort().map(([test, kills]) => ({ test, kills }));
  return head + writeYaml({ killers: list });
}

/** Pure: what is known with what a run has seen. `keys` has those of all mutants that there are: others are forgotten. */
export function withResults(known: Killers, results: readonly MutantResult[], keys: Pick<ReadonlySet<string>, 'has'>): Killers {
  const seen = results.flatMap(({ mutant, killedBy: [test] }): [string, string][] => (test === undefined ? [] : [[mutant.key, test]]));
  return new Map([...known, ...seen].filter(([key]) => keys.has(key)));
}

export function writeKillers(root: string, killers: Killers): void {
  writeFileSync(join(root, killersFile), killersText(killers));
}
