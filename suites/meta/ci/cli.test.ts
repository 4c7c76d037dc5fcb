/** The commands themselves: wrong usage ends with 2 and the nearest real names, the list boots nothing, help is help.
 *  Method: the real entry scripts, in processes of their own. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseCli } from '../../../ci/cli/args.js';
import { commands } from '../../../ci/cli/commands.js';
import { selectBySpec } from '../../../ci/select/by-spec.js';
import type { KnownTest } from '../../../ci/select/collect.js';
import { withCore } from '../../../ci/select/core.js';
import { select } from '../../../ci/select/select.js';
import { temporaryTree } from './temporary-tree.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const timeoutMs = 60_000;

function run(entry: 'start' | 'test', ...words: string[]) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV|BLKSNAP)/.test(name)));
  return spawnSync(process.execPath, [`ci/${entry}.mjs`, ...words], { cwd: root, encoding: 'utf8', env, timeout: timeoutMs });
}

describe('wrong usage ends with 2', { timeout: timeoutMs }, () => {
  test.for([
    ['start', ['--line', '6.13'], /no kernel line "6\.13": did you mean 6\.12\?/],
    ['start', ['--flavour', 'fst'], /no flavour "fst" of 6\.12: did you mean fast\?/],
    ['start', ['--lisst'], /unknown option --lisst: did you mean --list\?/],
    ['start', ['no-such-suite-at-all'], /"no-such-suite-at-all" is no suite, file or test name/],
    ['test', ['cow'], /npm test runs everything/],
    ['test', ['--jobs', 'many'], /--jobs takes a whole number from 1 to 64, got "many"/],
  ] as const)('npm %s %j', ([entry, words, message]) => {
    const { status, stdout, stderr } = run(entry, ...words);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
    expect(stdout).toBe('');
  });

  test.for([['start', 'list'], ['start', 'spec'], ['test', 'seed']] as const)('npm %s --%s without the --, which npm keeps for itself', ([entry, name]) => {
    vi.stubEnv(`npm_config_${name}`, 'true');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(run(entry, 'COW-03')).toMatchObject({ status: 2, stderr: expect.stringContaining(`put -- before options: npm ${entry} -- --${name}`) as string });
  });

  test('a path that is not there from where the user stands, with the place that was looked at', () => {
    const folder = temporaryTree();
    vi.stubEnv('INIT_CWD', folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(run('start', 'merge', '../gone')).toMatchObject({ status: 2, stderr: expect.stringContaining(`usage: ${dirname(folder)}/gone: expected`) as string });
    expect(run('start', '--module', 'gone')).toMatchObject({ status: 2, stderr: expect.stringContaining(`--module ${folder}/gone: expected`) as string });
  });

  test('a module folder without a Kbuild', () => {
    const { status, stderr } = run('start', '--module', temporaryTree());
    expect(stderr).toContain('expected a folder with a Kbuild or Makefile');
    expect(status).toBe(2);
  });
});

test('the lines of the README are taken, and what they select is there', { timeout: timeoutMs }, () => {
  const { tests } = JSON.parse(run('start', 'list', '--long', '--json').stdout) as { tests: KnownTest[] };
  const blocks = readFileSync(`${root}README.md`, 'utf8').split('```').filter((_, at) => at % 2 === 1);
  const calls = [...blocks.join('').matchAll(/npm start (?:-s )?-- (.*?)(?: +#.*)?$/gm)].map(([, words = '']) => wordsIn(words));
  const selecting = calls.filter(([first]) => !commands.some((one) => one === first));
  expect(selecting.length).toBeGreaterThan(8);
  for (const words of selecting) {
    const { selection, specIds } = parseCli(words);
    const chosen = selectBySpec(specIds, select(withCore(selection, root), { tests, broken: [] }, { commands }));
    expect(chosen.tests, words.join(' ')).not.toEqual([]);
  }
});

/** As a shell takes them. */
function wordsIn(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? '');
}

test('--list --json is JSON alone, and names spec ids of the suites', { timeout: timeoutMs }, () => {
  const { status, stdout } = run('start', '--list', '--json');
  expect(status).toBe(0);
  const { tests, broken } = JSON.parse(stdout) as { tests: { suite: string; name: string; specIds: string[] }[]; broken: unknown[] };
  expect(broken).toEqual([]);
  // Tests of the rig itself prove nothing of the product, and units keep no promise alone.
  const proving = tests.filter(({ suite }) => !['rig', 'kunit'].includes(suite) && !suite.startsWith('meta'));
  expect(proving.filter(({ specIds }) => specIds.length === 0).map(({ name }) => name)).toEqual([]);
});

test('spec boots nothing, knows every id that tests name, and ends with 1 while an id has no test', { timeout: timeoutMs }, () => {
  const { status, stdout } = run('start', 'spec', '--json');
  const { ids, proved, unproved, unknown, broken } = JSON.parse(stdout) as
    { ids: number; proved: number; unproved: string[]; unknown: unknown[]; broken: unknown[] };
  expect({ unknown, broken }).toEqual({ unknown: [], broken: [] });
  expect(proved + unproved.length).toBe(ids);
  expect(status).toBe(unproved.length > 0 ? 1 : 0);
});

test('--help ends with 0 and names both commands\' options', { timeout: timeoutMs }, () => {
  expect(run('start', '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--seed N') as string });
  expect(run('start', 'merge', '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--seed N') as string });
  expect(run('test', '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--seed N') as string });
});
