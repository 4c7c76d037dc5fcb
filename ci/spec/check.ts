/** The step "spec ids" of npm test: no test names an id that the table does not have; ids without a test are told,
 *  and are findings when the table is strict. */
import type { Check } from '../checks/check.js';
import type { Collected } from '../select/collect.js';
import { readSpec, specFile, type Spec } from './load.js';
import { unknownIds, unprovedIds } from './proofs.js';

export function specCheck(root: string, { tests }: Pick<Collected, 'tests'>, say: (line: string) => void): Check {
  return {
    name: 'spec ids',
    repeat: 'npm start -- spec',
    run: () => {
      const spec = readSpec(root);
      const unproved = unprovedIds(spec, tests);
      if (unproved.length > 0) say(`${unproved.length} spec ids without a test: ${unproved.join(' ')}`);
      return specFindings(spec, tests);
    },
  };
}

export function specFindings(spec: Spec, tests: Collected['tests']): string[] {
  const unknown = unknownIds(spec, tests).map(({ id, file, name }) => `${file}: "${name}" names ${id}, which ${specFile} does not have`);
  const unproved = spec.isStrict ? unprovedIds(spec, tests).map((id) => `${specFile}: no test proves ${id}`) : [];
  return [...unknown, ...unproved];
}
