/** Trouble on the console is recognised and quoted from its first sign on. Method: recorded lines, pure. */
import { expect, test } from 'vitest';
import { findTrouble } from '../../../../vm/boot/console.js';

const oops = `early line
BUG: kernel NULL pointer dereference, address: 0000000000000000
Oops: Oops: 0002 [#1] SMP NOPTI
RIP: 0010:blksnap_take+0x10/0x20
Kernel panic - not syncing: Fatal exception
Kernel Offset: disabled
`;

test('an oops that was made to panic is an oops, named by its first line', () => {
  const trouble = findTrouble(oops);
  expect(trouble).toMatchObject({ kind: 'oops', summary: 'BUG: kernel NULL pointer dereference, address: 0000000000000000' });
  expect(trouble?.excerpt).toContain('RIP: 0010:blksnap_take');
  expect(trouble?.excerpt).not.toContain('early line');
});

test('a panic called as such is a panic', () => {
  expect(findTrouble('x\nKernel panic - not syncing: sysrq triggered crash\n')).toMatchObject({
    kind: 'panic', summary: 'Kernel panic - not syncing: sysrq triggered crash',
  });
});

test.for(['', 'WARNING: CPU: 0 PID: 1 at block/blk-core.c:1\n', 'BUG: sleeping function called from invalid context\n'])(
  'a guest that lives on is in no trouble: %j', (text) => {
    expect(findTrouble(text)).toBeUndefined();
  });
