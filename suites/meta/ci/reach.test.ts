/** Who can see a change: probes stand before every statement and change nothing, and a patch is found at places that are
 *  reached before anything it changes.
 *  Method: small C texts; a program that is compiled with probes and without; and the sources of the module. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { changedLines, placesOf } from '../../../ci/reach/hunks.js';
import { findPlaces, placesMax, readTold, withProbes, type ProbedFile } from '../../../ci/reach/probes.js';
import { readFunctions } from '../../../ci/reach/statements.js';
import { temporaryTree } from './temporary-tree.js';

const moduleDir = fileURLToPath(new URL('../../../module/', import.meta.url));

/** The first words of statements, a bare one in brackets. */
function firstWords(body: string): string[] {
  const text = `int f(int x)\n{\n${body.replaceAll(/^/gm, '\t')}\n}\n`;
  return readFunctions(text).flatMap(({ statements }) => statements)
    .map(({ start, isBare }) => (isBare ? (word: string) => `[${word}]` : String)(/^\w+/.exec(text.slice(start))?.[0] ?? text[start] ?? ''));
}

describe('statements', () => {
  test.for([
    ['int a = 1; a++; return a;', ['int', 'a', 'return']],
    ['if (x)\n\ta();\nelse if (y)\n\tb();\nelse {\n\tc();\n}', ['if', '[a]', '[if]', '[b]', 'c']],
    ['for (a = 0; a < 1; a++)\n\tif (x)\n\t\ta();\n\telse\n\t\tb();', ['for', '[if]', '[a]', '[b]']],
    ['do\n\ta();\nwhile (b());\ndo { c(); } while (0);', ['do', '[a]', 'do', 'c']],
    ['switch (x) {\ncase A:\ncase B + 1:\n\ta();\n\tbreak;\ndefault:\n\tb();\n}', ['switch', 'a', 'break', 'b']],
    ['goto out;\nout:\n\treturn x ? a : b;', ['goto', 'return']],
    ['list_for_each_entry(a, &list, link)\n\ta();\nscoped_guard(rcu) {\n\tb();\n}', ['list_for_each_entry', '[a]', 'scoped_guard', 'b']],
    ['typeof(x) y = {\n\t.a = 1,\n\t.b = ({ 2; }),\n};\nf(x);', ['typeof', 'f']],
    ['/* a; */ a("}; \\"", \'}\'); // b;\n#if X\nc();\n#endif', ['a', 'c']],
    ['int (*p)(void) = f;\n(*p)();\n*q = 1;', ['int', '(', '*']],
    ['if (x) {', []],
  ])('of %j are %j', ([body, words]) => {
    expect(firstWords(body as string)).toEqual(words);
  });

  test('are found in every function of the module', () => {
    const files = readdirSync(moduleDir).filter((name) => /\.[ch]$/.test(name));
    const beyond = files.flatMap((name) => readFunctions(readFileSync(join(moduleDir, name), 'utf8'))
      .filter(({ firstLine, lastLine, statements }) => lastLine > firstLine + 1 && statements.length === 0)
      .map(({ firstLine }) => `${name}:${firstLine}`));
    expect(files.length).toBeGreaterThan(0);
    expect(beyond).toEqual([]);
  });
});

const program = `#include <stdio.h>
#define each(i, n) for (int i = 0; i < n; i++)
static int odd(int x)
{
	if (x < 0)
		return 0;
	else if (x % 2)
		return 1;
	return 0;
}
int main(void)
{
	int sum = 0;

	each(i, 4)
		if (odd(i))
			sum += i;
		else
			sum += 10;
	switch (sum) {
	case 24:
		puts("24");
		break;
	default:
		puts("other");
	}
	goto out;
	puts("never");
out:
	return sum;
}
`;

function probed(text: string, file = 'block/a.c'): ProbedFile {
  return findPlaces(new Map([[file, text]])).get(file) as ProbedFile;
}

describe('probes', () => {
  test('change nothing, and tell exactly the statements that were reached', () => {
    const file = probed(program);
    const folder = temporaryTree({ 'plain.c': program });
    writeFileSync(join(folder, 'probed.c'), withProbes(file, 0));
    const run = (name: string): [status: number, output: string[]] => {
      execFileSync('gcc', ['-Dsuite_reached(id)=fprintf(stderr, "%d\\n", id)', '-o', join(folder, name), join(folder, `${name}.c`)]);
      const output = execFileSync('sh', ['-c', '"$1" 2>&1; echo "status $?"', 'sh', join(folder, name)], { encoding: 'utf8' }).trim().split('\n');
      return [Number(output.at(-1)?.replace('status ', '')), output.slice(0, -1)];
    };
    const told = run('probed')[1].filter((line) => /^\d+$/.test(line) && line !== '24').map(Number);
    const reached = file.functions.flatMap(({ places }) => places).filter(({ id }) => told.includes(id));
    const missed = file.functions.flatMap(({ places }) => places).filter(({ id }) => !told.includes(id));
    expect(run('plain')).toEqual([24, ['24']]);
    expect(run('probed')[0]).toBe(24);
    expect(reached.length).toBeGreaterThan(10);
    expect(missed.map(({ start, end }) => program.slice(start, end))).toEqual(['return 0;', 'puts("other");', 'puts("never");']);
  });

  test('keep the lines of the text, behind their macro', () => {
    const [macro = '', ...rest] = withProbes(probed(program), 672).split('#endif\n');
    expect(macro).toContain('672 + raw_smp_processor_id()');
    const lines = rest.join('#endif\n').split('\n');
    expect(lines).toHaveLength(program.split('\n').length);
    expect(lines[5]).toMatch(/^\t\t\{ suite_reached\(\d+\); return 0; \}$/);
    expect(withProbes(probed('int x;\n'), 672)).toBe('int x;\n');
  });

  test('tell in pairs of bytes; what has no partner is left out', () => {
    expect([...readTold(Uint8Array.of(0x80, 5, 0x81, 0, 7, 0xff, 0x7f, 0x80))]).toEqual([5, 128, placesMax - 1]);
  });
});

describe('a patch', () => {
  const text = `static int limit = 3;
int f(int x)
{
	int a = 1;

	if (x)
		a();
	else
		b();
	if (y) {
		c();
	} else {
		d();
	}
	e();
	return f(a,
		 b);
}
`;
  const file = probed(text);
  const lines = text.split('\n');
  const patchOf = (at: number, change: readonly string[]) => (
    `diff --git a/block/a.c b/block/a.c\n--- a/block/a.c\n+++ b/block/a.c\n@@ -${at - 1},9 +${at - 1},9 @@ f\n ${lines[at - 2]}\n${change.join('\n')}\n`);
  const wordsAt = (at: number, change: readonly string[]) => {
    const ids = placesOf(patchOf(at, change), new Map([['block/a.c', file]]));
    if (ids === 'everywhere') return ids;
    return file.functions.flatMap(({ places }) => places).filter(({ id }) => ids.includes(id)).map(({ start }) => /^\w+/.exec(text.slice(start))?.[0]);
  };

  test.for([
    ['replaces a bare statement', 7, ['-\t\ta();', '+\t\t;'], ['a']],
    ['replaces a condition', 6, ['-\tif (x)', '+\tif (!x)'], ['if']],
    ['removes an else', 8, ['-\telse'], ['if']],
    ['removes the border between two branches', 12, ['-\t} else {', '+\t}', '+\t{'], ['if']],
    ['inserts before a statement', 11, ['+\t\tmore();', ' \t\tc();'], ['c']],
    ['inserts at the end of a block', 12, ['+\t\tmore();', ' \t} else {'], ['if']],
    ['inserts behind a block', 15, ['+\tmore();', ' \te();'], ['e']],
    ['replaces the second line of a statement', 17, ['-\t\t b);', '+\t\t c);'], ['return']],
    ['removes a blank line alone', 5, ['-'], 'everywhere'],
    ['removes a statement and a blank line', 4, ['-\tint a = 1;', '-'], ['int']],
    ['is outside functions', 1, ['-static int limit = 3;', '+static int limit = 4;'], 'everywhere'],
    ['changes the head of a function', 2, ['-int f(int x)', '+int f(long x)'], 'everywhere'],
  ] as const)('that %s is found', ([, at, change, words]) => {
    expect(wordsAt(at, change)).toEqual(words);
  });

  test('to a file without probes is everywhere', () => {
    expect(placesOf(patchOf(7, ['-\t\ta();']).replaceAll('block/a.c', 'block/b.c'), new Map([['block/a.c', file]]))).toBe('everywhere');
  });

  test('may have several hunks and files', () => {
    const more = '@@ -15,2 +15,3 @@ f\n \te();\n+\tmore();\n \treturn f(a,\ndiff --git a/block/b.c b/block/b.c\n--- a/block/b.c\n+++ b/block/b.c\n@@ -4,1 +4,0 @@\n-\tx;\n';
    expect(changedLines(patchOf(7, ['-\t\ta();', ' \telse']) + more)).toEqual([
      { file: 'block/a.c', line: 7 }, { file: 'block/a.c', line: 16 }, { file: 'block/b.c', line: 4 }]);
  });
});
