/** lines.yaml is understood, and what is wrong in it is told with file, line and what was expected. Method: pure. */
import { expect, test } from 'vitest';
import { ConfigError } from '../../../../vm/errors.js';
import { readPatches } from '../../../../vm/kernel/patch.js';
import { LINES_FILE, parseLines, readLines } from '../../../../vm/kernel/lines.js';

const file = '/somewhere/lines.yaml';
const good = '"6.12":\n  source: {debian: linux-source-6.12}\n  patches: "6.12"\n  flavours: [fast]\n';

test('the file in the repository is valid', async () => {
  expect((await readLines(LINES_FILE)).map(({ name }) => name)).toContain('6.12');
});

test('a Debian source is taken by package name', () => {
  expect(parseLines(good, file)).toEqual([{
    name: '6.12', source: { kind: 'debian', package: 'linux-source-6.12' }, patchesDir: '/somewhere/6.12', configDir: '/somewhere/config', flavours: ['fast'],
  }]);
});

test('a tarball path is relative to the file, a URL is left alone', () => {
  const sha256 = 'a'.repeat(64);
  const withSource = (location: string): string => good.replace('{debian: linux-source-6.12}', `{tarball: "${location}", sha256: ${sha256}}`);
  expect(parseLines(withSource('up/linux.tar.xz'), file)[0]?.source).toEqual({ kind: 'tarball', location: '/somewhere/up/linux.tar.xz', sha256 });
  expect(parseLines(withSource('https://example.org/l.tar.xz'), file)[0]?.source).toMatchObject({ location: 'https://example.org/l.tar.xz' });
});

test('a line of one\'s own has a word behind the version, and its series lies anywhere', () => {
  const [line] = parseLines(good.replace('"6.12":', '"6.12-mine":').replace('patches: "6.12"', 'patches: ../../my-series'), '/some/where/lines.yaml');
  expect(line).toMatchObject({ name: '6.12-mine', patchesDir: '/my-series' });
});

test('a series that is not there is told by its folder', async () => {
  await expect(readPatches('/nowhere/series')).rejects.toThrow('/nowhere/series:1: expected a folder with the patches of a kernel line, found ENOENT');
});

test('an unquoted number is taken as it was written', () => {
  expect(parseLines(good.replace('"6.12":', '6.10:'), file)[0]?.name).toBe('6.10');
});

test.for([
  ['not YAML', '"6.12": {', 1, /YAML/],
  ['nothing at all', '', 1, /a map from kernel lines/],
  ['a list instead of a map', '- 6.12\n', 1, /a map from kernel lines/],
  ['a name that is no line', good.replace('"6.12"', 'newest'), 1, /a kernel line such as "6.12"/],
  ['an unknown field', `${good}  colour: red\n`, 5, /source, patches, flavours/],
  ['a missing field', good.replace('  patches: "6.12"\n', ''), 2, /a field patches/],
  ['a source of no kind', good.replace('debian:', 'git:'), 2, /\{debian: PACKAGE\} or \{tarball/],
  ['a tarball without its hash', good.replace('debian: linux-source-6.12', 'tarball: x.tar'), 2, /a field sha256/],
  ['a hash that is none', good.replace('debian: linux-source-6.12', 'tarball: x.tar, sha256: 12'), 2, /64 hexadecimal digits/],
  ['no flavours', good.replace('[fast]', '[]'), 4, /a list of flavours/],
  ['a line named twice', good + good, 5, /YAML/],
] as const)('%s is told with its place', ([, text, line, expected]) => {
  const error = (() => {
    try {
      return parseLines(text, file);
    } catch (caught) {
      return caught;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ file, line, expected: expect.stringMatching(expected) as unknown });
  expect((error as ConfigError).message).toMatch(new RegExp(`^${file}:${line}: expected `));
});

test('a file that is not there is told by name', async () => {
  await expect(readLines('/nowhere/lines.yaml')).rejects.toThrow('/nowhere/lines.yaml:1: expected a readable file, found ENOENT');
});
