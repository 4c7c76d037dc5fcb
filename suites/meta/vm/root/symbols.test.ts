/** What the system's tools print about programs is read rightly. Method: recorded lines, pure. */
import { expect, test } from 'vitest';
import { parseInterpreter, parseLdd } from '../../../../vm/root/libraries.js';
import { parseDynamicSymbols, stubSource } from '../../../../vm/root/stubs.js';

test('libraries and the loader are found, the kernel\'s own object is not', () => {
  expect(parseLdd([
    '\tlinux-vdso.so.1 (0x00007ffd)',
    '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)',
    '\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)',
    '\tlibgone.so.1 => not found',
  ].join('\n'))).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
});

test('a program that ldd does not know needs its interpreter, a static one nothing', () => {
  expect(parseInterpreter('  INTERP 0x200\n      [Requesting program interpreter: /lib/klibc-XX6c.so]\n')).toEqual(['/lib/klibc-XX6c.so']);
  expect(parseInterpreter('  LOAD 0x000000\n')).toEqual([]);
});

test('symbols are read with their versions', () => {
  expect(parseDynamicSymbols([
    '   Num:    Value          Size Type    Bind   Vis      Ndx Name',
    '     3: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND ibv_open_device@IBVERBS_1.1 (5)',
    '     4: 0000000000001000    10 FUNC    GLOBAL DEFAULT   14 rbd_open@@V1',
    '     5: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND rados_create',
  ].join('\n'))).toEqual([
    { name: 'ibv_open_device', version: 'IBVERBS_1.1', defined: false },
    { name: 'rbd_open', version: 'V1', defined: true },
    { name: 'rados_create', version: '', defined: false },
  ]);
});

test('a stand-in defines each symbol under its version', () => {
  const { code, versions } = stubSource([{ name: 'a', version: 'V1', defined: false }, { name: 'b', version: '', defined: false }]);
  expect(code).toMatch(/void a\(void\).*\nvoid b\(void\)/);
  expect(versions).toBe('V1 { a; };\n');
});
