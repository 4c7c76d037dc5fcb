/** Shards merged are the whole run, and shards that are not all of one run are refused. Method: a small project with every
 *  ending, run whole and in three shards by the real vitest; then reports with one thing wrong each. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import { parseCli } from '../../../ci/cli/args.js';
import { UsageError } from '../../../ci/cli/exit-codes.js';
import { mergeReports } from '../../../ci/merge/command.js';
import { findReports } from '../../../ci/merge/find.js';
import { joinShards, type ShardReport } from '../../../ci/merge/join.js';
import { exitCodeOf } from '../../../ci/report/finish.js';
import { junitXml } from '../../../ci/report/junit.js';
import { count } from '../../../ci/report/model.js';
import { readJunit } from '../../../ci/report/read-junit.js';
import { summaryLines } from '../../../ci/report/summary.js';
import { Progress } from '../../../ci/session/progress.js';
import { runProject } from './projects/run-project.js';
import { temporaryTree } from './temporary-tree.js';

let folder: string;
const pathOf = (name: string) => join(folder, name, 'junit.xml');
const shardNames = ['1', '2', '3'];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'merge-'));
  // A worker that dies takes the tests beside it along, so that project is not the same in shards.
  const files = '{verdicts,unloadable}.fixture.ts';
  for (const [name, shard] of [['whole', '1/1'], ['1', '1/3'], ['2', '2/3'], ['3', '3/3']] as const) {
    mkdirSync(join(folder, name));
    runProject(join(folder, name), files, shard);
  }
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function shards(...names: string[]): ShardReport[] {
  return findReports(names.map(pathOf));
}

/** Of verdicts.fixture.ts, counted there by hand. With what no list foresees, such as a file that does not load, they are CASES. */
const TESTS = 15;
const CASES = 17;

/** A shard with one fact changed. */
function changed(name: string, from: string, to: string): ShardReport {
  const text = readFileSync(pathOf(name), 'utf8');
  expect(text).toContain(from);
  const report = readJunit(text.replaceAll(from, to));
  if (report === undefined) throw new Error('cannot be read any more');
  return { path: name, report };
}

describe('three shards, merged', () => {
  test('hold exactly the tests of the whole run, with the same outcome each', () => {
    const told = (reports: ShardReport[]) => joinShards(reports).cases.map(({ suite, file, name, state, position, specIds, problems }) =>
      ({ suite, file, name, state, position, specIds, types: problems.map(({ type, blame }) => `${blame} ${type}`) }));
    const merged = told(shards(...shardNames));
    expect(merged).toEqual(told(shards('whole')));
    expect(merged).toHaveLength(CASES);
    expect(new Set(merged.map(({ state }) => state))).toEqual(new Set(['passed', 'failed', 'error', 'skipped', 'pending']));
  });

  test('are split evenly', () => {
    const sizes = shards(...shardNames).map(({ report }) => report.cases.filter(({ position }) => position !== undefined).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(TESTS);
  });

  test('have the summary and the exit code of the whole run', () => {
    const [whole, merged] = [joinShards(shards('whole')), joinShards(shards(...shardNames))];
    const summary = (report: typeof whole) => summaryLines(report, 'junit.xml').filter((line) => !line.startsWith('wall time'));
    expect(summary(merged)).toEqual(summary(whole));
    expect(exitCodeOf(merged)).toBe(exitCodeOf(whole));
    expect(count(merged.cases)).toEqual(count(whole.cases));
  });

  test('are valid JUnit, which can be read and written again without a change', async () => {
    const xml = junitXml(joinShards(shards(...shardNames)));
    const schema = readFileSync(new URL('../../../ci/report/junit.xsd', import.meta.url), 'utf8');
    const result = await validateXML({ xml: [{ fileName: 'junit.xml', contents: xml }], schema: [schema] });
    expect(result.errors.map(({ message }) => message)).toEqual([]);
    const again = readJunit(xml);
    expect(again && junitXml(again)).toBe(xml);
  });

  test('leave a results folder, and end like the run', () => {
    const root = temporaryTree();
    const stream = new PassThrough();
    const options = parseCli(['merge', ...shardNames.map((name) => join(folder, name))]);
    const code = mergeReports(root, options, new Progress(stream as unknown as NodeJS.WriteStream));
    expect(code).toBe(1);
    expect(readFileSync(join(root, 'results/latest/junit.xml'), 'utf8')).toContain('<property name="mergedFrom" value="3 shards"/>');
    expect(String(stream.read())).toMatch(/\d+ passed, \d+ failed, \d+ skipped\n$/);
  });
});

describe('refused is', () => {
  test.for([
    ['a missing shard', ['1', '3'], /^shard 2\/3 is missing$/],
    ['a shard that is there twice', ['1', '2', '3', '2-copy'], /^shard 2\/3 is there 2 times: /],
    ['a whole run beside a shard', ['1', 'whole'], /whole\/junit\.xml is one of 1 shards, the others are of 3/],
  ] as const)('%s', ([, names, message]) => {
    mkdirSync(join(folder, '2-copy'), { recursive: true });
    writeFileSync(pathOf('2-copy'), readFileSync(pathOf('2')));
    expect(() => joinShards(shards(...names))).toThrow(UsageError);
    expect(() => joinShards(shards(...names))).toThrow(message);
  });

  test.for([
    ['commit', 'value="c0ffee"', 'value="dec0de"', 'commit differs: .* has c0ffee, 3 has dec0de'],
    ['kernel line', 'name="line" value="6.12"', 'name="line" value="7.3"', 'line differs: .* has 6.12, 3 has 7.3'],
    ['flavour', 'name="flavour" value="fast"', 'name="flavour" value="debug"', 'flavour differs'],
    ['seed', 'name="seed" value="42"', 'name="seed" value="43"', 'seed differs: .* has 42, 3 has 43'],
    ['selection', 'name="selection" value="all"', 'name="selection" value="cow"', 'selection differs'],
    ['module', 'name="selection"', 'name="module" value="x"/><property name="selection"', 'module differs: .* has none, 3 has x'],
    ['list of tests', 'name="list" value="', 'name="list" value="0', 'list differs'],
  ] as const)('a shard of another %s', ([, from, to, message]) => {
    expect(() => joinShards([...shards('1', '2'), changed('3', from, to)])).toThrow(new RegExp(`^these are not shards of one run: their ${message}`));
  });

  test('a shard with another kernel, but not one that does not know its kernel because the build failed', () => {
    const on = (name: string, release: string) => changed(name, '<property name="seed"', `<property name="kernel" value="${release}"/><property name="seed"`);
    expect(() => joinShards([on('1', '6.12.1'), ...shards('2'), on('3', '6.12.2')])).toThrow(/kernel differs/);
    expect(joinShards([on('1', '6.12.1'), ...shards('2'), on('3', '6.12.1')]).properties.get('kernel')).toBe('6.12.1');
  });

  test('a shard with a test less, a test of another shard, or one beyond the list', () => {
    expect(() => joinShards([...shards('1', '2'), changed('3', 'name="position" value="3"', 'name="position" value="4"')]))
      .toThrow(/^test 4 \(".*"\) is in .*1\/junit\.xml and in 3$/);
    expect(() => joinShards([...shards('1', '2'), changed('3', '<property name="position" value="3"/>', '')]))
      .toThrow(`1 of ${TESTS} tests are in no shard, the first is test 3`);
    const beyond = TESTS + 1;
    expect(() => joinShards([...shards('1', '2'), changed('3', 'name="position" value="3"', `name="position" value="${beyond}"`)]))
      .toThrow(`test ${beyond} of a run of ${TESTS}`);
  });

  test.for([
    ['is not there', '/nowhere/at/all', /expected a junit.xml or a folder with one, found ENOENT/],
    ['has no report in it', temporaryTree, /there is no junit.xml in it/],
    ['is the report of another program', () => temporaryTree({ 'junit.xml': '<testsuites name="jest"/>' }), /expected a report of npm start or npm test/],
    ['is cut short', () => temporaryTree({ 'junit.xml': readFileSync(pathOf('1'), 'utf8').slice(0, -20) }), /expected a report/],
  ] as const)('a path that %s', ([, path, message]) => {
    const made = typeof path === 'string' ? path : path();
    expect(() => findReports([made])).toThrow(UsageError);
    expect(() => findReports([made])).toThrow(message);
  });
});

test('the reports of canaries, which lie below the run that flew them, are none of its shards', () => {
  const canary = join(folder, '1/canaries/module-a');
  mkdirSync(canary, { recursive: true });
  copyFileSync(pathOf('2'), join(canary, 'junit.xml'));
  try {
    expect(findReports([join(folder, '1')]).map(({ path }) => path)).toEqual([pathOf('1')]);
  } finally {
    rmSync(join(folder, '1/canaries'), { recursive: true });
  }
});

test('reports are found below a folder, each once also when results/latest leads to it', () => {
  const xml = readFileSync(pathOf('1'), 'utf8');
  const root = temporaryTree({ 'shard-1/results/now/junit.xml': xml, 'shard-2/results/now/junit.xml': xml });
  symlinkSync('now', join(root, 'shard-1/results/latest'));
  const found = findReports([root, join(root, 'shard-1/results/latest/junit.xml')]);
  expect(found.map(({ path }) => path)).toEqual(['shard-1', 'shard-2'].map((name) => join(root, name, 'results/now/junit.xml')));
});
