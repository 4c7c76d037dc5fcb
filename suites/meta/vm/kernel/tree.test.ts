/** The patched tree follows the series, touches no more than it must, and never the pristine source.
 *  Method: a source of three files, real links, real git. */
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { syncTree, type Patch } from '../../../../vm/kernel/patch.js';
import { removeUnfinishedObjects } from '../../../../vm/kernel/resume.js';

let dir: string;
let tree: string;
const source = (): { id: string; dir: string } => ({ id: 'one', dir: join(dir, 'pristine') });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tree-test-'));
  tree = join(dir, 'tree');
  await mkdir(join(dir, 'pristine'));
  for (const name of ['a.c', 'b.c', 'c.c']) await writeFile(join(dir, 'pristine', name), `${name}\n`);
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function patch(name: string, from: string, to: string): Promise<Patch> {
  const text = `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n@@ -1 +1 @@\n-${from}\n+${to}\n`;
  const path = join(dir, `${name}-${to}.patch`);
  await writeFile(path, text);
  return { path, text };
}

const content = (name: string): Promise<string> => readFile(join(tree, name), 'utf8');

test('a patched file is rewritten in the tree alone', async () => {
  await syncTree(source(), [await patch('a.c', 'a.c', 'A')], tree);
  expect(await content('a.c')).toBe('A\n');
  expect(await readFile(join(dir, 'pristine/a.c'), 'utf8')).toBe('a.c\n');
  expect((await stat(join(tree, 'b.c'))).ino).toBe((await stat(join(dir, 'pristine/b.c'))).ino);
});

test('another series rewrites only what differs, so that make rebuilds only that', async () => {
  const kept = await patch('a.c', 'a.c', 'A');
  await syncTree(source(), [kept, await patch('b.c', 'b.c', 'B')], tree);
  await utimes(join(tree, 'a.c'), 1000, 1000);

  await syncTree(source(), [kept, await patch('c.c', 'c.c', 'C')], tree);

  expect([await content('a.c'), await content('b.c'), await content('c.c')]).toEqual(['A\n', 'b.c\n', 'C\n']);
  expect((await stat(join(tree, 'a.c'))).mtimeMs).toBe(1_000_000);
});

test('a file that a patch adds goes with the patch', async () => {
  const text = 'diff --git a/new/d.c b/new/d.c\nnew file mode 100644\n--- /dev/null\n+++ b/new/d.c\n@@ -0,0 +1 @@\n+fresh\n';
  const path = join(dir, 'add.patch');
  await writeFile(path, text);
  await syncTree(source(), [{ path, text }], tree);
  expect(await content('new/d.c')).toBe('fresh\n');
  await syncTree(source(), [], tree);
  await expect(content('new/d.c')).rejects.toThrow('ENOENT');
});

test('another source makes another tree', async () => {
  await syncTree(source(), [await patch('a.c', 'a.c', 'A')], tree);
  await mkdir(join(dir, 'next'));
  await writeFile(join(dir, 'next/z.c'), 'z\n');
  await syncTree({ id: 'two', dir: join(dir, 'next') }, [], tree);
  expect(await content('z.c')).toBe('z\n');
  await expect(content('a.c')).rejects.toThrow('ENOENT');
});

test('objects that a killed build may have left half-written are removed, finished ones stay', async () => {
  const objects = join(dir, 'pristine');
  await mkdir(join(objects, 'sub'));
  for (const name of ['good.o', 'sub/no-record.o', 'sub/newer.o', 'sub/archive.a']) await writeFile(join(objects, name), '');
  for (const name of ['.good.o.cmd', 'sub/.newer.o.cmd']) await writeFile(join(objects, name), '');
  await utimes(join(objects, 'good.o'), 1000, 1000);
  await utimes(join(objects, 'sub/.newer.o.cmd'), 1000, 1000);

  await removeUnfinishedObjects(objects);

  const isThere = (name: string): Promise<boolean> => stat(join(objects, name)).then(() => true, () => false);
  expect(await Promise.all(['good.o', 'sub/no-record.o', 'sub/newer.o', 'sub/archive.a', 'a.c'].map(isThere)))
    .toEqual([true, false, false, false, true]);
});
