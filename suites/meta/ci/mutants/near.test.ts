/** Tests that killed near by are tried before those that killed far away. */
import { expect, test } from 'vitest';
import { nearest, ofUnit } from '../../../../ci/mutants/near.js';

const patch = `diff --git a/module/a.c b/module/a.c
--- a/module/a.c
+++ b/module/a.c
@@ -99,3 +99,3 @@ static int f(void)
 	before
-	line 100
+	changed
 	after
`;

test('by lines in the same file, then all others by name, each once', () => {
  const kills = [
    { file: 'module/b.c', line: 100, test: 'z elsewhere' },
    { file: 'module/b.c', line: 100, test: 'both' },
    { file: 'module/a.c', line: 10, test: 'both' },
    { file: 'module/a.c', line: 130, test: 'near' },
    { file: 'module/a.c', line: 900, test: 'near' },
    { file: 'module/c.c', line: 1, test: 'a elsewhere' },
  ];
  expect(nearest(kills, patch)).toEqual(['near', 'both', 'a elsewhere', 'z elsewhere']);
});

test('the KUnit cases of the unit that changes are found by its name', () => {
  const cases = ['blksnap_a > one', 'blksnap_a_more > two', 'blksnap_b > three'].map((name) => `suites/kunit/kunit.test.ts > ${name}`);
  expect(ofUnit([...cases, 'suites/cow/x.test.ts > blksnap_a > four'], patch)).toEqual([cases[0]]);
});
