/** Systematic changes: found in what is code, named so that they are found again, tried in turn. Method: small C texts. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { applied, findChanges } from '../../../../ci/mutants/systematic/changes.js';
import { allChanges, calledBy, changeKey, changeName, inTurn } from '../../../../ci/mutants/systematic/choose.js';
import { parseEquivalents, readEquivalents, staleEquivalents, whyEquivalent } from '../../../../ci/mutants/systematic/equivalent.js';
import { changesIn } from '../../../../ci/mutants/systematic/make.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../../..');

const text = `/* a < b */
static int area_find(struct area *area, int count)
{
	int ret = 0;
	int i;

	/* i <= count */
	for (i = 0; i < count - 1; i++)
		area->sum += i;
	if (!area->is_open && area->next)
		return -ENODEV;
	spin_lock(&area->lock);
	ret = area_take(area, count);
	if (ret)
		goto out;
	area->is_open = true;
	pr_err("%d < %d\\n", ret, i);
out:
	spin_unlock(&area->lock);
	return ret;
}
`;

const whats = (source: string) => findChanges(source).map(({ line, what }) => `${line} ${what}`);

test('operators, constants, statements, errors and arguments are changed, words are not', () => {
  expect(whats(text)).toEqual([
    '8 < becomes <=',
    '8 - 1 goes',
    '8 - becomes +',
    '9 the statement goes',
    '10 ! goes',
    '10 && becomes ||',
    '11 return -ENODEV becomes return 0',
    '12 the statement goes',
    '13 the statement goes',
    '13 what it returns is ignored',
    '13 area and count change places',
    '15 goto out goes',
    '16 the statement goes',
    '16 true becomes false',
    '19 the statement goes',
    '20 return ret becomes return 0',
  ]);
});

test('each change is of one place, and leaves the lines where they are', () => {
  for (const change of findChanges(text)) {
    const after = applied(text, change);
    expect(after).not.toBe(text);
    const lines = after.split('\n');
    expect(lines).toHaveLength(text.split('\n').length);
    expect(lines.filter((line, at) => line !== text.split('\n')[at])).toHaveLength(1);
    expect(change).toMatchObject({ function: 'area_find', code: (text.split('\n')[change.line - 1] ?? '').trim() });
  }
});

test('a statement of several lines goes as a whole', () => {
  const long = 'void f(void)\n{\n\tg(a,\n\t  b);\n}\n';
  const [gone] = findChanges(long);
  expect(gone && applied(long, gone)).toBe('void f(void)\n{\n\t;\n}\n');
});

const sources = new Map([['b.c', text], ['a.c', text.replace('area_find', 'other')]]);

test.for([['names', changeName], ['keys', changeKey]] as const)('%s are unique', ([, of]) => {
  const names = allChanges(sources).map(of);
  expect(new Set(names).size).toBe(names.length);
});

test('a key stays where lines move', () => {
  const moved = new Map([...sources].map(([file, source]) => [file, `\n\n${source}`]));
  expect(allChanges(moved).map(changeKey)).toEqual(allChanges(sources).map(changeKey));
  expect(allChanges(moved).map(changeName)).not.toEqual(allChanges(sources).map(changeName));
});

test('a word calls the change of that name, or those of a file, a line or a function', () => {
  const all = allChanges(sources);
  const [one] = all;
  if (one === undefined) throw new Error('no change');
  const { file, line, function: name } = one;
  expect(calledBy(all, changeName(one))).toEqual([one]);
  expect(calledBy(all, `systematic/${file}`)).toEqual(all.filter((other) => other.file === file));
  expect(calledBy(all, `systematic/${file}:${line}`)).toEqual(all.filter((other) => other.file === file && other.line === line));
  expect(calledBy(all, `systematic/${file}:${line} ${name}`)).toContain(one);
  expect(calledBy(all, 'systematic/a')).toEqual([]);
  // What the name of another begins with.
  const twice = [one, { ...one, nth: 2 }];
  expect(calledBy(twice, changeName(one))).toEqual([one]);
});

test('each function has its turn before one has its second, and the seed decides with which change', () => {
  const all = allChanges(sources);
  expect(new Set(inTurn(all, 1).slice(0, 2).map(({ file }) => file))).toEqual(new Set(['a.c', 'b.c']));
  expect(inTurn(all, 1)).toEqual(inTurn(all, 1));
  expect(inTurn(all, 1).map(changeName)).not.toEqual(inTurn(all, 2).map(changeName));
  expect(inTurn(all, 1)).toHaveLength(all.length);
});

const entry = 'equivalent:\n  - file: a.c\n    function: other\n    code: area->sum += i;\n    what: the statement goes\n    why: nobody reads it\n';

test('an argument holds for the line as it is, wherever it moves, and for nothing else', () => {
  const known = parseEquivalents(entry, 'e.yaml');
  const moved = allChanges(new Map([['a.c', `\n\n${sources.get('a.c')}`]]));
  const why = moved.map((change) => whyEquivalent(change, known)).filter((one) => one !== undefined);
  expect(why).toEqual(['nobody reads it']);
  expect(staleEquivalents(known, moved)).toEqual([]);
  expect(staleEquivalents(known, allChanges(new Map([['a.c', text]])))).toHaveLength(1);
});

test('an argument needs all its fields', () => {
  expect(() => parseEquivalents(entry.replace('    why: nobody reads it\n', ''), 'e.yaml')).toThrow(/e\.yaml/);
});

test('every argument is of a change that the module still has', () => {
  expect(staleEquivalents(readEquivalents(root), changesIn(join(root, 'module')))).toEqual([]);
});
