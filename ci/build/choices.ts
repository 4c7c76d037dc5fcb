/** Line, flavour and module folder from the command line, checked against what there is before anything is built. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readLines, type KernelLine } from '../../vm/index.js';
import type { CliOptions } from '../cli/args.js';
import { UsageError } from '../cli/exit-codes.js';
import { didYouMean } from '../cli/nearest.js';

/** Throws UsageError with the nearest real name. */
export async function checkChoices({ line, flavour, moduleDir }: CliOptions): Promise<KernelLine> {
  const lines = await readLines();
  const found = lines.find(({ name }) => name === line);
  if (found === undefined) throw new UsageError(`no kernel line "${line}": ${didYouMean(line, lines.map(({ name }) => name))}; kernel-patches/lines.yaml describes them`);
  if (!found.flavours.includes(flavour)) throw new UsageError(`no flavour "${flavour}" of ${line}: ${didYouMean(flavour, found.flavours)}`);
  if (moduleDir !== undefined && !isModule(moduleDir)) {
    throw new UsageError(`--module ${moduleDir}: expected a folder with a Kbuild or Makefile${existsSync(moduleDir) ? '' : ', which does not exist'}`);
  }
  return found;
}

function isModule(folder: string): boolean {
  return ['Kbuild', 'Makefile'].some((name) => existsSync(join(folder, name)));
}
