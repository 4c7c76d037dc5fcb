/** npm start -- doctor: what is found, its version, what is missing, and the next step. Changes nothing. */
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, freemem, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, rememberedAccelerator } from '../../vm/index.js';
import type { CliOptions } from '../cli/args.js';
import { exitCodes } from '../cli/exit-codes.js';
import { freeBytes, kvmDevice, lookUp, sizeBytes, type NeedFact } from './facts.js';
import { commandToType, findManager } from './install.js';
import { hostNeeds } from './needs.js';

const gib = 1024 ** 3;
/** A kernel's sources, its build, guests and checkpoints. */
const wantedCacheGib = 6;
const wantedTmpGib = 1;
const wantedMemoryGib = 2;

interface Finding {
  readonly what: string;
  readonly nextStep: string;
}

export async function doctor(root: string, { json: isJson }: CliOptions): Promise<number> {
  const facts = hostNeeds.map(lookUp);
  const machine = await machineFacts(root);
  const wrong = findings(facts);
  if (isJson) process.stdout.write(`${JSON.stringify({ needs: facts.map(plain), ...machine, wrong })}\n`);
  else process.stdout.write(`${report(facts, machine, wrong).join('\n')}\n`);
  return wrong.length === 0 ? exitCodes.passed : exitCodes.rigFailed;
}

async function machineFacts(root: string): Promise<Record<string, string>> {
  const cache = cacheFolder();
  const accelerator = await rememberedAccelerator().catch(() => undefined);
  const size = (folder: string) => `${(sizeBytes(folder) / gib).toFixed(2)} GiB`;
  const rooms = existsSync(cache) ? readdirSync(cache, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  const sizes = rooms.map(({ name }) => `${name} ${size(join(cache, name))}`).join(', ');
  return {
    node: process.versions.node,
    cpus: String(availableParallelism()),
    memory: `${(freemem() / gib).toFixed(1)} of ${(totalmem() / gib).toFixed(1)} GiB free`,
    '/dev/kvm': kvmDevice(),
    accelerator: accelerator ? `${accelerator.name}: ${accelerator.reason}` : 'not probed yet; the first npm start does',
    cache: `${cache}: ${sizes === '' ? 'empty' : sizes}`,
    results: `${join(root, 'results')}: ${size(join(root, 'results'))}`,
    'disk free': `${(freeBytes(cache) / gib).toFixed(1)} GiB for the cache, ${(freeBytes(tmpdir()) / gib).toFixed(1)} GiB in ${tmpdir()}`,
  };
}

function findings(facts: readonly NeedFact[]): Finding[] {
  const wrong: Finding[] = [];
  const missing = facts.filter(({ path, need }) => path === undefined && !need.optional).map(({ need }) => need);
  if (missing.length > 0) {
    const manager = findManager();
    const nextStep = manager === undefined ? 'install them by hand' : commandToType(missing, manager, process.getuid?.() === 0);
    wrong.push({ what: `missing: ${missing.map(({ name }) => name).join(', ')}`, nextStep });
  }
  if (freeBytes(cacheFolder()) < wantedCacheGib * gib) {
    wrong.push({ what: `less than ${wantedCacheGib} GiB free for the cache`, nextStep: `free some, or set BLKSNAP_SUITE_CACHE elsewhere` });
  }
  if (freeBytes(tmpdir()) < wantedTmpGib * gib) {
    wrong.push({ what: `less than ${wantedTmpGib} GiB free in ${tmpdir()}`, nextStep: 'free some, or set TMPDIR elsewhere' });
  }
  if (freemem() < wantedMemoryGib * gib) {
    wrong.push({ what: `less than ${wantedMemoryGib} GiB of memory free`, nextStep: 'run with --jobs 1, or end something else' });
  }
  return wrong;
}

function report(facts: readonly NeedFact[], machine: Record<string, string>, wrong: readonly Finding[]): string[] {
  const needs = facts.map(({ need, path, version }) => {
    const state = path !== undefined ? 'found  ' : need.optional ? 'absent ' : 'MISSING';
    return `${state}  ${need.name.padEnd(18)}${version.padEnd(18)}${path ?? need.why}`;
  });
  const rest = Object.entries(machine).map(([name, value]) => `${name.padEnd(13)}${value}`);
  const verdict = wrong.length === 0 ? ['nothing is wrong; next step: npm start']
    : wrong.flatMap(({ what, nextStep }) => [`wrong: ${what}`, `  next step: ${nextStep}`]);
  return [...needs, '', ...rest, '', ...verdict];
}

function plain({ need, path, version }: NeedFact) {
  return { name: need.name, path, version, isOptional: need.optional ?? false };
}
