/** What may be seen of files after a crash. Method: few deeds, and what is seen then, both by hand. */
import { expect, test } from 'vitest';
import { judge, type Deed, type How, type SeenFile, type FileStep } from '../../oracle/promises.js';

let clock = 0;
const deed = (step: FileStep, isDone = true): Deed => ({ step, issued: ++clock, done: isDone ? ++clock : undefined });
const write = (block: number, count: number, version: number, how: How = 'fsync'): FileStep => (
  { op: 'write', name: 'a', file: 7, block, count, version, how }
);
const replace = (count: number, version: number): FileStep => ({ op: 'replace', name: 'a', file: 7, count, version });
const remove: FileStep = { op: 'remove', name: 'a' };
const seen = (blocks: readonly number[], { name = 'a', file = 7, bytes = blocks.length * 4096 } = {}): SeenFile => (
  { name, bytes, file, blocks }
);
const right = (deeds: readonly Deed[], ...files: readonly SeenFile[]): boolean => (
  judge(deeds, Infinity, files).wrong.length === 0
);

test('what was synced must be there as it was', () => {
  const deeds = [deed(write(0, 2, 1))];
  expect(judge(deeds, Infinity, [seen([1, 1])])).toEqual({ promised: 1, there: 1, wrong: [] });
  const wrong = ['a is absent, not file 7 of at least 2 blocks of [1 1]'];
  expect(judge(deeds, Infinity, [])).toEqual({ promised: 1, there: 0, wrong });
  for (const other of [[1], [1, 0], [1, 2], [1, -1], [1, 1, 1]]) expect(right(deeds, seen(other)), other.join(' ')).toBe(false);
  expect(right(deeds, seen([1, 1], { file: 8 }))).toBe(false);
  expect(right(deeds, seen([1, 1], { bytes: 8191 }))).toBe(false);
  expect(right(deeds, seen([1, 1]), seen([1], { name: 'b' }))).toBe(false);
});

test('a promise counts from the moment at which it was heard of, and a deed from that at which it was asked for', () => {
  const first = deed(write(0, 1, 1));
  const second = deed(write(0, 1, 2));
  const at = (until: number, ...files: SeenFile[]): readonly string[] => judge([first, second], until, files).wrong;
  expect(at(first.issued, seen([1]))).toEqual(['a is there']);
  expect(at(first.issued)).toEqual([]);
  expect(at(first.done as number)).toEqual([]);
  expect(at(second.issued)).not.toEqual([]);
  expect(at(second.issued, seen([2]))).not.toEqual([]);
  expect(at(second.done as number, seen([1]))).toEqual([]);
  expect(at(second.done as number, seen([2]))).toEqual([]);
  expect(at(Infinity, seen([1]))).not.toEqual([]);
});

test.for(['none', 'fsync'] as const)('a write that promises nothing (%s, not done) may be there in part', (how) => {
  const deeds = [deed(write(0, 2, 1)), deed(write(1, 2, 2, how), how === 'none')];
  const good = [[1, 1], [1, 2], [1, 1, 2], [1, 2, 2], [1, 2, 0]];
  for (const blocks of good) expect(right(deeds, seen(blocks)), blocks.join(' ')).toBe(true);
  const bad = [[1], [2, 1], [1, 0], [1, 1, 1], [1, 2, 2, 0]];
  for (const blocks of bad) expect(right(deeds, seen(blocks)), blocks.join(' ')).toBe(false);
});

test('a file that was not synced may be missing, be empty or have a part', () => {
  const deeds = [deed(write(0, 2, 1), false)];
  expect(right(deeds)).toBe(true);
  for (const blocks of [[], [0], [1], [0, 1]]) expect(right(deeds, seen(blocks, { file: blocks.includes(1) ? 7 : 0 }))).toBe(true);
  expect(right(deeds, seen([-1]))).toBe(false);
});

test('fsync covers what was written before it, O_DSYNC only what it wrote', () => {
  const unsynced = [deed(write(0, 3, 1)), deed(write(0, 1, 2, 'none'))];
  expect(right([...unsynced, deed(write(2, 1, 3))], seen([1, 1, 3]))).toBe(false);
  for (const how of ['dsync', 'direct'] as const) {
    expect(right([...unsynced, deed(write(2, 1, 3, how))], seen([1, 1, 3]))).toBe(true);
    expect(right([...unsynced, deed(write(2, 1, 3, how))], seen([2, 1, 1]))).toBe(false);
    expect(right([...unsynced, deed(write(3, 1, 3, how))], seen([2, 1, 1]))).toBe(false);
  }
});

test('a file that is replaced is the old or the new one, whole', () => {
  const deeds = [deed(write(0, 2, 1)), deed(replace(2, 2), false)];
  for (const blocks of [[1, 1], [2, 2]]) expect(right(deeds, seen(blocks))).toBe(true);
  for (const blocks of [[1, 2], [2, 1], [0, 0]]) expect(right(deeds, seen(blocks))).toBe(false);
  expect(right(deeds)).toBe(false);
  expect(right(deeds, seen([1, 1]), seen([2], { name: 'a.new' }))).toBe(true);
  const done = [...deeds, deed(replace(1, 3))];
  expect(right(done, seen([3]))).toBe(true);
  expect(right(done, seen([3]), seen([], { name: 'a.new', file: 0 }))).toBe(false);
  expect(right(done, seen([2, 2]))).toBe(false);
});

test('a file that is removed may be there until that was promised, as it was', () => {
  const made = deed(write(0, 1, 1));
  expect(right([made, deed(remove, false)], seen([1]))).toBe(true);
  expect(right([made, deed(remove, false)])).toBe(true);
  expect(right([made, deed(remove, false)], seen([0]))).toBe(false);
  expect(right([made, deed(remove)])).toBe(true);
  expect(right([made, deed(remove)], seen([1]))).toBe(false);
  expect(right([made, deed(remove), deed(write(0, 2, 2))], seen([2, 2]))).toBe(true);
});
