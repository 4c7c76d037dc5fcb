/** A patch that does not fit is told by file and line. Method: what git prints, and real git on small trees. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PatchError } from '../../../../vm/errors.js';
import { applyPatches, readPatches } from '../../../../vm/kernel/patch.js';
import { parseApplyFailure, touchedFiles } from '../../../../vm/kernel/patch-text.js';

const change = `diff --git a/f.c b/f.c
--- a/f.c
+++ b/f.c
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
`;
const addition = `diff --git a/new/g.c b/new/g.c
new file mode 100644
--- /dev/null
+++ b/new/g.c
@@ -0,0 +1 @@
+fresh
`;

async function source(text: string): Promise<{ id: string; dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'patch-test-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'f.c'), text);
  return { id: 'test', dir };
}

async function patch(dir: string, name: string, text: string): Promise<{ path: string; text: string }> {
  const path = join(dir, name);
  await writeFile(path, text);
  return { path, text };
}

test('touched files are named once each', () => {
  expect(touchedFiles(change + addition + change)).toEqual(['f.c', 'new/g.c']);
});

test('what only guests need is applied after the series', async () => {
  const { dir } = await source('');
  await mkdir(join(dir, 'guest'));
  for (const name of ['guest/0001-a.patch', '0002-b.patch', '0001-c.patch', 'notes.txt']) await patch(dir, name, change);
  expect((await readPatches(dir)).map(({ path }) => relative(dir, path))).toEqual(['0001-c.patch', '0002-b.patch', 'guest/0001-a.patch']);
});

test('a series applies in order, and the pristine source stays as it was', async () => {
  const tree = await source('one\ntwo\nthree\n');
  const result = await applyPatches(tree, [await patch(tree.dir, '1.patch', change), await patch(tree.dir, '2.patch', addition)]);
  expect(result.get('f.c')?.toString()).toBe('one\nTWO\nthree\n');
  expect(result.get('new/g.c')?.toString()).toBe('fresh\n');
});

test('a hunk that does not fit names patch, file and line, and speaks against the product', async () => {
  const tree = await source('one\nzwei\nthree\n');
  const failing = applyPatches(tree, [await patch(tree.dir, '0001-change.patch', change)]);
  await expect(failing).rejects.toBeInstanceOf(PatchError);
  await expect(failing).rejects.toMatchObject({ blame: 'product', patch: '0001-change.patch', file: 'f.c', hunkLine: 1 });
});

test('a shifted context is no fuzz: it is refused', async () => {
  const tree = await source('one\ntwo\nthird\n');
  await expect(applyPatches(tree, [await patch(tree.dir, '1.patch', change)])).rejects.toBeInstanceOf(PatchError);
});

test('a change to a file that is not there names the file', async () => {
  const tree = await source('');
  await rm(join(tree.dir, 'f.c'));
  await expect(applyPatches(tree, [await patch(tree.dir, '1.patch', change)])).rejects.toMatchObject({ file: 'f.c' });
});

test('a damaged patch names its line', () => {
  expect(parseApplyFailure('error: corrupt patch at line 7\n')).toEqual({ file: undefined, hunkLine: 7 });
});
