/** Each house rule finds the one thing it guards against, and nothing in clean files. Method: tiny trees, one break each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkImports } from '../../../ci/checks/deps.js';
import { checkText, checkTidiness, type TidyContext } from '../../../ci/checks/tidy.js';
import { touchedFiles } from '../../../ci/checks/kernel.js';
import { ownLines } from '../../../ci/checks/own-lines.js';
import { checkWireFormat, uapiFolder } from '../../../ci/checks/wire-format.js';
import { temporaryTree } from './temporary-tree.js';

const repository = fileURLToPath(new URL('../../../', import.meta.url));

describe('the import table', () => {
  test.for([
    ['vm/guest/x.ts', `import { test } from '../../suites/fixtures/index.js';`, 'vm/guest may not import ../../suites/fixtures/index.js'],
    ['vm/guest/x.ts', `import type { T } from '../../suites/fixtures/index.js';`, 'vm/guest may not import ../../suites/fixtures/index.js'],
    ['vm/units.ts', `export * from './errors.js';`, 'vm/units.ts may not import ./errors.js'],
    ['vm/ktap/x.ts', `import { readFileSync } from 'node:fs';`, 'vm/ktap may not import node:fs'],
    ['vm/cache/x.ts', `import { execa } from 'execa';`, 'vm/cache may not import execa'],
    ['vm/proc/x.ts', `import fs from 'fs';`, 'vm/proc may not import fs'],
    ['suites/oracle/x.ts', `import { bootGuest } from '../../vm/index.js';`, 'suites/oracle may not import ../../vm/index.js'],
    ['suites/cow/x.test.ts', `import { bootGuest } from '../../vm/index.js';`, 'suites may not import ../../vm/index.js'],
    ['suites/cow/x.test.ts', `import { helper } from '../cbt/helper.js';`, 'suites may not import ../cbt/helper.js'],
    ['suites/cow/x.test.ts', `const m = await import('vitest');`, 'suites may not import vitest'],
    ['ci/x.ts', `import { Machine } from '../vm/boot/machine.js';`, 'ci may not import ../vm/boot/machine.js'],
    ['ci/x.ts', `import { test } from '../suites/fixtures/index.js';`, 'ci may not import ../suites/fixtures/index.js'],
    ['ci/bootstrap/x.mjs', `import { parse } from 'yaml';`, 'ci/bootstrap may not import yaml'],
    ['ci/x.ts', `import { parse } from 'yaml';`, 'ci may not import yaml'],
    ['tools/x.ts', `import 'node:fs';`, 'no rule in deps.json says what it may import'],
  ] as const)('%s: %s is refused', ([file, text, what]) => {
    const root = temporaryTree({ [file]: `${text}\n` });
    expect(checkImports(root, [file])).toEqual([`${file}:1: ${what}`]);
  });

  test.for([
    ['suites/oracle/x.ts', `import type { Guest } from '../../vm/index.js';`],
    ['suites/cow/x.test.ts', `import { test } from '../fixtures/index.js';`],
    ['suites/cow/x.test.ts', `import { helper } from './helper.js';`],
    ['suites/meta/vm/x.test.ts', `import { qmp } from '../../../vm/boot/qmp.js';`],
    ['vm/guest/x.ts', `import { Machine } from '../boot/machine.js';`],
    ['ci/report/x.ts', `import type { Reporter } from 'vitest/node';`],
    ['vm/ktap/x.ts', `import { Parser } from 'tap-parser';`],
  ] as const)('%s: %s is allowed', ([file, text]) => {
    expect(checkImports(temporaryTree({ [file]: `${text}\n` }), [file])).toEqual([]);
  });
});

describe('tidiness', () => {
  const context: TidyContext = { root: '/no-such-parent/place/repo/', hostNames: ['mirror.example'] };
  const header = '/** What it is for. */\n';
  const later = 'TO' + 'DO';

  test.for([
    ['vm/a.ts', 'export {};\n', 'begins with a /** comment that says what it is for'],
    ['module/a.c', '/* no licence */\n', 'begins with an SPDX line and a comment that says what it is for'],
    ['vm/a.ts', `${header}// ${later} later\n`, 'a word that leaves work for later'],
    ['README.md', `${later}\n`, 'a word that leaves work for later'],
    ['suites/a.test.ts', `${header}test.${'on' + 'ly'}('x');\n`, 'a test switched off or narrowed'],
    ['vm/a.ts', `${header}const x = 1; \n`, 'white space at the end of the line'],
    ['vm/a.ts', `${header}export {};`, 'no newline at the end'],
    ['vm/a.ts', `${header}// ${'x'.repeat(130)}\n`, '133 characters, more than 130'],
    ['suites/a.ts', `${header}// ${'x'.repeat(200)}\n`, '203 characters, more than 200'],
    ['vm/a.ts', `${header}${'//\n'.repeat(300)}`, '301 lines, more than 300: split by concern'],
    ['vm/a.ts', `${header}// /no-such-parent/place/repo/vm\n`, 'names this machine alone knows: /no-such-parent/place/repo/'],
    ['vm/a.json', `{"from": "/no-such-parent/place/else"}\n`, 'names this machine alone knows: /no-such-parent/place/'],
    ['README.md', `see mirror.example\n`, 'names this machine alone knows: mirror.example'],
    ['package-lock.json', `  "resolved": "https://somewhere/x.tgz"\n`, 'the lock file names a registry'],
  ] as const)('%s: %j', ([file, text, what]) => {
    expect(checkText(file, text, context).map((line) => line.replace(/^[^:]*:\d+: /, ''))).toEqual([what]);
  });

  test('a clean tree has no findings', () => {
    const files = { 'vm/a.ts': `${header}export {};\n`, 'module/a.c': '// SPDX-License-Identifier: GPL-2.0\n/* What for. */\n' };
    expect(checkTidiness(Object.keys(files), { root: temporaryTree(files), hostNames: [] })).toEqual([]);
  });

  test('a stray file at the top is found', () => {
    expect(checkTidiness(['notes.txt'], { root: temporaryTree({ 'notes.txt': 'x\n' }), hostNames: [] }))
      .toEqual(['notes.txt:1: does not belong at the top']);
  });

  test('a relative path through a folder of the same name is no name of this machine', () => {
    expect(checkText('vm/a.ts', `${header}import '../no-such-parent/place/a.js';\n`, context)).toEqual([]);
  });

  test('a parent folder that many machines have is no name of this one', () => {
    expect(checkText('vm/a.ts', `${header}// /tmp/socket\n`, { root: '/tmp/repo', hostNames: [] })).toEqual([]);
  });
});

test('touched files are those that a patch leaves behind', () => {
  const patch = '--- a/block/gone.c\n+++ /dev/null\n--- a/block/b.c\n+++ b/block/b.c\n--- /dev/null\n+++ b/block/a.c\n';
  expect(touchedFiles([patch, patch])).toEqual(['block/a.c', 'block/b.c']);
});

describe('lines that answer for a patch', () => {
  const source = 'int a;\n\nstatic int one(int x,\n\t       int y)\n{\n\treturn x;\n}\n\nstatic int two(void)\n{\n\treturn 2;\n}\n\nint b;\n';

  test.for([
    ['@@ -6 +6 @@ one', [3, 4, 5, 6, 7]],
    ['@@ -1 +1 @@', [1]],
    ['@@ -11,2 +11,0 @@ two', [9, 10, 11, 12]],
    ['@@ -3,0 +4 @@\n@@ -14 +14 @@', [3, 4, 5, 6, 7, 14]],
  ] as const)('%s', ([diff, lines]) => {
    expect([...ownLines(source, diff)].sort((a, b) => a - b)).toEqual(lines);
  });
});

describe('the wire format', () => {
  const headers = ['linux/blk-filter.h', 'linux/blksnap.h'];
  const read = (name: string) => readFileSync(join(uapiFolder(repository), name), 'utf8');

  test('is what the headers say', async () => {
    expect(await checkWireFormat(repository, uapiFolder(repository))).toEqual([]);
  });

  test.for([
    ['another number', '_IOW(BLKSNAP_IOC_MAGIC, 3,', '_IOW(BLKSNAP_IOC_MAGIC, 7,', ['-m64', '-m32'], 'IOCTL_BLKSNAP_SNAPSHOT_TAKE'],
    ['another order', '\t__u32 block_size;\n\t__u32 block_count;', '\t__u32 block_count;\n\t__u32 block_size;', ['-m64', '-m32'], 'blksnap_cbtinfo.block_size'],
    ['a field that 32-bit callers lay out otherwise', '__aligned_u64 buffer', 'unsigned long buffer', ['-m32'], 'size of blksnap_cbtmap'],
  ] as const)('with %s is found', async ([, from, to, sizes, what]) => {
    const tree = temporaryTree(Object.fromEntries(headers.map((name) => [name, read(name).replace(from, to)])));
    const found = await checkWireFormat(repository, tree);
    for (const size of ['-m64', '-m32']) {
      const isFound = found.some((line) => line.startsWith(size) && line.includes(what));
      expect(isFound).toBe((sizes as readonly string[]).includes(size));
    }
  });
});
