/** The systematic mutants in their turn, each with its patch, or with the argument why nobody could tell it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../../vm/index.js';
import { readSpec } from '../../spec/load.js';
import type { Mutant } from '../load.js';
import { changeName, inTurn } from './choose.js';
import { readEquivalents, whyEquivalent } from './equivalent.js';
import { changesIn, makeMutant } from './make.js';

export interface SeriesOptions {
  readonly root: string;
  readonly moduleDir: string;
  readonly seed: number;
  /** Only those; empty means all. */
  readonly names: readonly string[];
}

export async function* systematicMutants(
  { root, moduleDir, seed, names }: SeriesOptions,
): AsyncGenerator<{ mutant: Mutant } | { mutant: Mutant; why: string }> {
  const specIds = readSpec(root).behaviours.map(({ id }) => id);
  const known = readEquivalents(root);
  const folder = temporaryFolder('systematic-');
  try {
    const wanted = changesIn(moduleDir).filter((change) => names.length === 0 || names.includes(changeName(change)));
    for (const [at, change] of inTurn(wanted, seed).entries()) {
      const own = join(folder, String(at));
      mkdirSync(own);
      const mutant = await makeMutant(change, moduleDir, own, specIds);
      const why = whyEquivalent(change, known);
      yield why === undefined ? { mutant } : { mutant, why };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
