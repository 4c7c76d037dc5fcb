/** However a test ends, the report says so and says whom it speaks against. Method: a small project with every ending,
 *  run by the real vitest in a process of its own; its junit.xml is validated and compared case by case. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import type { CaseReport } from '../../../ci/report/model.js';
import { runProject } from './projects/run-project.js';

const schema = readFileSync(new URL('../../../ci/report/junit.xsd', import.meta.url), 'utf8');
let cases: CaseReport[];
let xml: string;
let resultsDir: string;

beforeAll(() => {
  resultsDir = mkdtempSync(join(tmpdir(), 'verdicts-'));
  cases = runProject(resultsDir, '{verdicts,unloadable,dying}.fixture.ts');
  xml = readFileSync(join(resultsDir, 'junit.xml'), 'utf8');
}, 60_000);

afterAll(() => rmSync(resultsDir, { recursive: true, force: true }));

function find(name: string): CaseReport {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case "${name}"`);
  return found;
}

test.for([
  ['a run that is stopped says nothing of what it cut off', 'stopped', 'stop',
    [['fails', 'failed', 1], ['is under way', 'pending', 0], ['has not begun', 'pending', 0]]],
  ['a file that loads only when it is run is no pass', 'unsteady', '', [['the file loads', 'pending', 0]]],
] as const)('%s', { timeout: 60_000 }, ([, name, ending, expected]) => {
  const dir = mkdtempSync(join(tmpdir(), `${name}-`));
  try {
    const seen = runProject(dir, `${name}.fixture.ts`, '1/1', ending);
    expect(seen.map((one) => [one.name, one.state, one.problems.length])).toEqual([...expected, ['of another run', 'pending', 0]]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

describe('verdicts', () => {
  test.for([
    ['passes', 'passed', undefined],
    ['assertion', 'failed', 'AssertionError'],
    ['assertion on a large number', 'failed', 'AssertionError'],
    ['rig error', 'error', 'GuestLostError'],
    ['panic', 'failed', 'GuestPanicError'],
    ['rig error, then the panic that explains it', 'failed', 'GuestLostError'],
    ['fixture teardown', 'error', 'GuestLostError'],
    ['host disk full', 'error', 'Error'],
    ['mistake in the test', 'error', 'TypeError'],
    ['timeout', 'failed', 'Error'],
    ['skipped with a note', 'skipped', undefined],
    ['skipped in place', 'skipped', undefined],
    ['stray rejection', 'error', 'Error'],
    ['group > below a failing beforeAll', 'error', 'GuestLostError'],
    ['tail > above a failing afterAll', 'error', 'GuestLostError'],
    ['the file loads', 'error', 'Error'],
    ['before the end', 'error', 'Unfinished'],
    ['kills its worker', 'error', 'Unfinished'],
    ['after the end', 'error', 'Unfinished'],
    ['of another run', 'pending', undefined],
  ] as const)('"%s" is %s', ([name, state, type]) => {
    const one = find(name);
    expect(one.state).toBe(state);
    expect(one.problems[0]?.type).toBe(type);
  });

  test('no case is missing and none is there twice', () => {
    expect(cases).toHaveLength(20);
    expect(new Set(cases.map(({ id }) => id)).size).toBe(20);
  });

  test('an error handed over twice is told once', () => {
    expect(find('fixture teardown').problems).toHaveLength(1);
  });

  test('a failed comparison keeps what was expected and what was seen', () => {
    expect(find('assertion').problems[0]).toMatchObject({
      expected: expect.stringContaining('"marked": 2') as string,
      seen: expect.stringContaining('"marked": 1') as string,
    });
  });

  test('a skip keeps its reason, restore times and spec ids are kept', () => {
    expect(find('skipped with a note').skipReason).toBe('needs CONFIG_KASAN');
    expect(find('passes')).toMatchObject({ specIds: ['CBT-01', 'CBT-02'], restoreMs: [300, 420] });
  });
});

describe('junit.xml', () => {
  test('is valid', async () => {
    const result = await validateXML({ xml: [{ fileName: 'junit.xml', contents: xml }], schema: [schema] });
    expect(result.errors.map(({ message }) => message)).toEqual([]);
    expect(result.valid).toBe(true);
  });

  test('the schema refuses what is not JUnit', async () => {
    const broken = xml.replace('<testcase name=', '<testcase title=');
    const result = await validateXML({ xml: [{ fileName: 'junit.xml', contents: broken }], schema: [schema] });
    expect(result.valid).toBe(false);
  });

  test('has failures, errors and skips where they belong, and totals that agree', () => {
    expect(xml.match(/<failure /g)).toHaveLength(5);
    expect(xml.match(/<error /g)).toHaveLength(12);
    expect(xml).toContain('<skipped message="needs CONFIG_KASAN"/>');
    expect(xml).toMatch(/<testsuites name="blksnap-suite" tests="20" failures="5" errors="12" skipped="2" /);
  });

  test('names spec ids, kernel, flavour and seed as properties', () => {
    const [passing = ''] = /<testcase name="passes".*?<\/testcase>/s.exec(xml) ?? [];
    for (const [name, value] of [['spec', 'CBT-01'], ['spec', 'CBT-02'], ['line', '6.12'], ['flavour', 'fast'], ['seed', '42']]) {
      expect(passing).toContain(`<property name="${name}" value="${value}"/>`);
    }
  });

  test('a failure has kernel messages and one repeat line; bytes that XML cannot hold are shown', () => {
    const [failing = ''] = /<testcase name="assertion".*?<\/testcase>/s.exec(xml) ?? [];
    expect(failing).toContain('last kernel messages:\n  blksnap: snapshot taken\n  raw \\x07\\x1b[31mbytes\\x1b[0m');
    expect(failing.match(/repeat: .*/g)).toEqual([
      `repeat: npm start -- 'verdicts.fixture.ts > assertion' --seed 42 --line 6.12 --flavour fast</failure>`,
    ]);
    expect(xml).toContain('lost \\x00 it');
  });
});
