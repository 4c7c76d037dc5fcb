/** The command line becomes values, or a usage error that names what was meant. Method: tables of words. */
import { resolve } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { parseCli } from '../../../ci/cli/args.js';
import { UsageError } from '../../../ci/cli/exit-codes.js';
import { nearest } from '../../../ci/cli/nearest.js';
import { parseExploreCli } from '../../../ci/explore/options.js';
import { parseMutantsCli } from '../../../ci/mutants/options.js';

describe('parseCli', () => {
  test('every option is taken', () => {
    const words = ['cow', 'cbt', '--seed', '7', '--jobs', '3', '--keep', '--json', '--line', '7.3', '--flavour', 'debug', '--module', '/m',
      '--repeat', '5', '--long', '--canaries', '4', '--shard', '2/3', '--spec', 'COW-01', '--spec', 'CBT-02', '--driver', 'vng', '--exclude', 'cow/a'];
    expect(parseCli(words)).toEqual({
      selection: ['cow', 'cbt'], command: 'run', seed: 7, jobs: 3, keep: true, json: true,
      line: '7.3', flavour: 'debug', moduleDir: '/m', repeat: 5, long: true, canaries: 4, shard: { index: 2, count: 3 },
      specIds: ['COW-01', 'CBT-02'], exclude: ['cow/a'], driver: 'vng', words: [], disks: [],
    });
  });

  test('a seed is drawn when none is given, and differs between runs', () => {
    const seeds = new Set(Array.from({ length: 5 }, () => parseCli([]).seed));
    expect(seeds.size).toBeGreaterThan(1);
  });

  test.for([
    [['--list'], 'list'],
    [['-h'], 'help'],
    [['doctor'], 'doctor'],
    [['doctor', '--json'], 'doctor'],
    [['spec'], 'spec'],
    [['spec', '--json'], 'spec'],
    [['spec', 'COW'], 'spec'],
    [['merge', 'results'], 'merge'],
    [['list'], 'list'],
    [['list', 'cow'], 'list'],
    [['help'], 'help'],
    [['cow', 'list'], 'run'],
    [['--list', '--shard', '2/3'], 'list'],
    [['--shard', '1/1'], 'run'],
    [['cow', 'spec'], 'run'],
    [[], 'run'],
  ] as const)('%j means %s', ([words, command]) => {
    expect(parseCli(words).command).toBe(command);
  });

  test('parts of a run have the same seed, unless another is given', () => {
    expect(new Set([1, 2, 3].map((part) => parseCli(['--shard', `${part}/3`]).seed)).size).toBe(1);
    expect(parseCli(['--shard', '2/3', '--seed', '9']).seed).toBe(9);
  });

  test.for([
    [['merge', '--help']],
    [['shell', '-h']],
    [['doctor', 'now', '--help']],
    [['spec', '--sed', '1', '--help']],
    [['--jobs', 'many', '-h']],
    [['--module', '--help']],
    [['', '--help', '--', 'x']],
  ] as const)('%j asks for help, whatever else is wrong', ([words]) => {
    expect(parseCli(words).command).toBe('help');
    expect(parseMutantsCli(['--also', ...words]).command).toBe('help');
    expect(parseExploreCli(['--steps', ...words]).command).toBe('help');
  });

  test('what stands behind -- asks for no help of ours', () => {
    expect(parseCli(['shell', '--', 'ls', '--help'])).toMatchObject({ command: 'shell', words: ['ls', '--help'] });
  });

  test('a folder is meant from where the user stands', () => {
    vi.stubEnv('INIT_CWD', '/somewhere/else');
    expect(parseCli(['--module', '../m']).moduleDir).toBe('/somewhere/m');
    expect(parseCli(['--module', '/m']).moduleDir).toBe('/m');
    vi.stubEnv('INIT_CWD', undefined);
    expect(parseCli(['--module', 'm']).moduleDir).toBe(resolve('m'));
    vi.unstubAllEnvs();
  });

  test.for([
    [['--shard', '1/2'], /no --shard/], [['--repeat', '2'], /no --repeat/], [['--shard=1/2', '--seed', '1'], /no --shard/], [['--spec=COW-01'], /no --spec/],
  ] as const)('explore refuses %j', ([words, message]) => {
    expect(() => parseExploreCli(words)).toThrow(message);
  });

  test.for([
    [['shell'], { words: [], disks: [], driver: undefined }],
    [['shell', '--qemu', '--disk', '64M', '--disk', '1G'], { words: [], disks: ['64M', '1G'], driver: 'qemu' }],
    [['shell', '--', 'ls', '-l', '--json', '--', 'x'], { words: ['ls', '-l', '--json', '--', 'x'], json: false }],
    [['--flavour', 'debug', 'shell', '--', 'uname -r'], { words: ['uname -r'], flavour: 'debug' }],
  ] as const)('%j is a shell with %j', ([words, expected]) => {
    expect(parseCli(words)).toMatchObject({ command: 'shell', selection: [], ...expected });
  });

  test.for([
    [['--sed', '1'], /unknown option --sed: did you mean --seed/],
    [['--seed', 'x'], /--seed takes a whole number from 0 to 4294967295, got "x"/],
    [['--seed', '4294967296'], /whole number/],
    [['--jobs', '0'], /--jobs takes a whole number from 1/],
    [['--jobs', '-1'], /jobs/],
    [['--seed'], /seed/],
    [['--keep=yes'], /keep/],
    [['doctor', 'now'], /doctor takes no arguments, got "now"/],
    [['shell', 'ls'], /put -- before the command: shell -- ls/],
    [['shell', '--sed', '1'], /unknown option --sed/],
    [['cow', '--disk', '1G'], /--disk belongs to shell/],
    [['cow', '--driver', 'vgn'], /no driver "vgn": did you mean vng/],
    [['merge'], /merge takes the reports of all shards/],
    [['--repeat', '0'], /--repeat takes a whole number from 1/],
    [['--shard', '0/3'], /--shard takes i\/n with i from 1 to n, such as 2\/3, got "0\/3"/],
    [['--shard', '4/3'], /got "4\/3"/],
    [['--shard', '1/0'], /got "1\/0"/],
    [['--shard', '2'], /got "2"/],
    [['--shard', '1/3/5'], /--shard/],
    [[''], /a word cannot be blank: it is a suite, a file, "file > test name" or a part of a test's name/],
    [['cow', ' \t'], /a word cannot be blank/],
    [['merge', 'results', '--repeat', '2'], /merge does not take --repeat/],
    [['doctor', '--spec', 'COW'], /doctor does not take --spec/],
    [['shell', '--shard', '1/2', '--', 'ls'], /shell does not take --shard/],
    [['cow', '--driver', 'toString'], /no driver "toString"/],
    [['merge', ''], /a word cannot be blank/],
    [['--json', 'mutants'], /put mutants before all options: npm start -- mutants/],
  ] as const)('%j is refused', ([words, message]) => {
    expect(() => parseCli(words)).toThrow(UsageError);
    expect(() => parseCli(words)).toThrow(message);
  });
});

describe('nearest', () => {
  const names = ['cbt', 'cow', 'overflow', 'removal', 'attach'];

  test.for([
    ['cwo', 'cow'],
    ['CBT', 'cbt'],
    ['over', 'overflow'],
    ['remove', 'removal'],
  ] as const)('%s is near %s', ([typed, expected]) => {
    expect(nearest(typed, names)[0]).toBe(expected);
  });

  test('of equally near names the first given wins', () => {
    expect(nearest('explor', ['explorer', 'explore'])).toEqual(['explorer', 'explore']);
    expect(nearest('explor', ['explore', 'explorer'])).toEqual(['explore', 'explorer']);
  });

  test('nothing is near nonsense', () => {
    expect(nearest('qqqqqqqqqqq', names)).toEqual([]);
  });
});
