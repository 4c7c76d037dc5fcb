/** Joins the reports of all shards of one run into the report that the whole run would have left. Pure. */
import { UsageError } from '../cli/exit-codes.js';
import type { CaseReport, CaseState, RunReport } from '../report/model.js';
import { titleOf } from '../report/variant.js';

export interface ShardReport {
  readonly path: string;
  readonly report: RunReport;
}

/** What must be the same in all shards. */
const runNames = ['commit', 'line', 'flavour', 'seed', 'selection', 'module', 'tests', 'list'] as const;
/** Likewise, but unknown to a shard whose build failed. */
const buildNames = ['kernel', 'kernelKey', 'moduleKey'] as const;

/** Throws UsageError when the shards are not of one run, or one is missing or there twice, or a test is. */
export function joinShards(shards: readonly ShardReport[]): RunReport {
  requireOneRun(shards);
  const count = requireEachShard(shards);
  const cases = shards.flatMap(({ report }) => report.cases);
  requireEachTest(shards);
  const facts = (map: 'properties' | 'origin') => new Map(shards.flatMap(({ report }) => [...report[map]]));
  const startedMs = shards.map(({ report }) => report.startedAt.getTime());
  const endedMs = shards.map(({ report }) => report.startedAt.getTime() + report.wallMs);
  return {
    startedAt: new Date(Math.min(...startedMs)),
    wallMs: Math.max(...endedMs) - Math.min(...startedMs),
    properties: facts('properties'),
    origin: new Map([...facts('origin'), ['shard', '1/1'], ['mergedFrom', `${count} shards`]]),
    cases: inOrder(cases),
  };
}

function requireOneRun(shards: readonly ShardReport[]): void {
  for (const name of [...runNames, ...buildNames]) {
    const known = shards.map((shard) => ({ path: shard.path, value: fact(shard, name) }))
      .filter(({ value }) => value !== undefined || !(buildNames as readonly string[]).includes(name));
    const [first] = known;
    const other = known.find(({ value }) => value !== first?.value);
    if (first && other) {
      const said = ({ path, value }: typeof first) => `${path} has ${value ?? 'none'}`;
      throw new UsageError(`these are not shards of one run: their ${name} differs: ${said(first)}, ${said(other)}`);
    }
  }
}

/** Returns how many shards there are. */
function requireEachShard(shards: readonly ShardReport[]): number {
  const placed = shards.map((shard) => ({ ...shard, place: placeOf(shard) }));
  const count = placed[0]?.place.count ?? 0;
  const odd = placed.find(({ place }) => place.count !== count);
  if (odd) throw new UsageError(`${odd.path} is one of ${odd.place.count} shards, the others are of ${count}`);
  for (let index = 1; index <= count; index++) {
    const here = placed.filter(({ place }) => place.index === index).map(({ path }) => path);
    if (here.length === 0) throw new UsageError(`shard ${index}/${count} is missing`);
    if (here.length > 1) throw new UsageError(`shard ${index}/${count} is there ${here.length} times: ${here.join(', ')}`);
  }
  return count;
}

function requireEachTest(shards: readonly ShardReport[]): void {
  const [first] = shards;
  const total = Number(first && fact(first, 'tests'));
  const holders = new Map<number, string>();
  for (const { path, report } of shards) {
    for (const { position, name } of report.cases) {
      if (position === undefined) continue;
      if (position > total) throw new UsageError(`${path} has test ${position} of a run of ${total}: "${name}"`);
      const holder = holders.get(position);
      if (holder !== undefined) throw new UsageError(`test ${position} ("${name}") is in ${holder} and in ${path}`);
      holders.set(position, path);
    }
  }
  const missing = Array.from({ length: total }, (_, at) => at + 1).filter((position) => !holders.has(position));
  if (missing.length > 0) throw new UsageError(`${missing.length} of ${total} tests are in no shard, the first is test ${missing[0]}`);
}

/** In the order of the whole run; then what no list foresees, such as a build that failed: of several with one name the worst. */
function inOrder(cases: readonly CaseReport[]): CaseReport[] {
  const planned = cases.filter(({ position }) => position !== undefined);
  const rank: Readonly<Record<CaseState, number>> = { failed: 0, error: 1, pending: 2, skipped: 3, passed: 4 };
  const extras = new Map<string, CaseReport>();
  for (const one of cases.filter(({ position }) => position === undefined)) {
    const key = JSON.stringify([one.suite, one.file, titleOf(one)]);
    const known = extras.get(key);
    if (known === undefined || rank[one.state] < rank[known.state]) extras.set(key, one);
  }
  return [...planned.sort((a, b) => (a.position ?? 0) - (b.position ?? 0)), ...extras.values()];
}

function placeOf(shard: ShardReport): { index: number; count: number } {
  const [, index, count] = (/^(\d+)\/(\d+)$/.exec(fact(shard, 'shard') ?? '') ?? []).map(Number);
  if (!index || !count) throw new UsageError(`${shard.path} does not say which shard it is`);
  return { index, count };
}

function fact({ report }: ShardReport, name: string): string | undefined {
  return report.origin.get(name) ?? report.properties.get(name);
}
