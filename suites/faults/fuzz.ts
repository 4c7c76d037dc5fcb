/** One run of the fuzzer, and what must have come of it. */
import { describeWrongs, expect, fuzz, successes, type FuzzReport, type Lab } from '../fixtures/index.js';

/** The states that calls must have come by for their answers to tell anything. Of few calls, each is not certain to. */
const FEW = ['create', 'destroy', 'attach', 'cbtmap', 'cbtdirty', 'collect', 'version', 'info'];
const MANY = [...FEW, 'add', 'take', 'detach', 'read'];
const MANY_CALLS = 10_000;

export const spec = ['ABI-03', 'ABI-01', 'ABI-02', 'SNP-04', 'FLT-03', 'FLT-04', 'CBT-06', 'CBT-07', 'SNP-06', 'COW-06'];

export function expectRight(report: FuzzReport): void {
  expect(describeWrongs(report)).toEqual([]);
}

export function verdictOf({ calls, seconds, commands }: FuzzReport): string {
  const ends = Object.entries(commands).flatMap(([name, answers]) => Object.keys(answers).map((answer) => `${name} ${answer}`));
  return `${calls} calls, ${Math.round(calls / seconds)} a second, ${ends.length} kinds of answers, each a defined one`;
}

export async function fuzzSeed(l: Lab, seed: number, calls: number, timeoutMs?: number): Promise<FuzzReport> {
  const report = await fuzz(l, { seed, calls, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  expectRight(report);
  expect(report.calls).toBeGreaterThanOrEqual(calls);
  expect((calls < MANY_CALLS ? FEW : MANY).filter((name) => successes(report, name) === 0)).toEqual([]);
  return report;
}
