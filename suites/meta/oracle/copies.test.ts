/** The judge of copies sees each way in which copy-on-write can be wrong. Method: logs of a few requests, written by hand. */
import { expect, test } from 'vitest';
import type { DiskRequest, RequestKind } from '../../../vm/index.js';
import { copyFaults } from '../../oracle/copies.js';

const layout = { chunk: 8, capacity: 19, start: 100 };

/** Each is answered before the next arrives, unless `late` says otherwise. */
function log(...lines: readonly (readonly [kind: RequestKind, sector: number, sectors: number, late?: 'late'])[]): DiskRequest[] {
  return lines.map(([kind, sector, sectors, late], index) => ({
    index, kind, sector, sectors, fua: false, arrived: 10 * index, applied: 10 * index + 1, answered: 10 * index + (late ? 500 : 2), errno: undefined, data: undefined,
  }));
}

test.for([
  ['a chunk read whole before its write', log(['read', 100, 8], ['write', 101, 1])],
  ['a chunk read in parts, in any order', log(['read', 104, 4], ['read', 100, 4], ['write', 101, 1])],
  ['the last chunk, which is shorter', log(['read', 116, 3], ['write', 118, 1])],
  ['one write over two chunks, and another later', log(['read', 108, 8], ['read', 100, 8], ['write', 107, 2], ['write', 107, 1])],
  ['one read of two chunks that change', log(['read', 100, 16], ['write', 107, 2])],
  ['flushes and what lies outside', log(['flush', 0, 0], ['write', 90, 10], ['read', 119, 4])],
] as const)('%s is as it must be', ([, requests]) => {
  expect(copyFaults(requests, layout)).toEqual([]);
});

test.for([
  ['a write without a read', log(['write', 101, 1]), 'chunk 0: sectors 100 to 107 not read'],
  ['a write before the read is answered', log(['read', 100, 8, 'late'], ['discard', 101, 1]), 'chunk 0: changed at 10, before its read at sector 100 was answered at 500'],
  ['a second read', log(['read', 100, 8], ['write', 100, 1], ['read', 100, 8]), 'chunk 0: sector 100 read twice, or with what is not its own'],
  ['a chunk read in part only', log(['read', 100, 2], ['read', 104, 4], ['write-zeroes', 100, 8]), 'chunk 0: sectors 102 to 103 not read'],
  ['a read without need', log(['read', 108, 8]), 'chunk 1: read although nothing changes it'],
  ['a read of a chunk that changes and one that does not', log(['read', 100, 16], ['write', 101, 1]), 'chunk 1: read although nothing changes it'],
  ['a last chunk read too far', log(['read', 116, 8], ['write', 118, 1]), 'chunk 2: read up to sector 123, beyond its end'],
] as const)('%s is told', ([, requests, fault]) => {
  expect(copyFaults(requests, layout)).toContain(fault);
});
