/** Each fault is told once, and says what it hit. */
import { expect, test } from 'vitest';
import { FaultLog, FaultMissedError } from '../../../../vm/faults/log.js';

const fault = { kind: 'io', operation: 'first copy', point: 'request 1 EIO', hit: 'read 2048+512', verdict: 'corrupt, EIO' } as const;

test('what was recorded is there, in its order', () => {
  const log = new FaultLog();
  log.record(fault);
  log.record({ ...fault, point: 'request 2 EIO' });
  expect(log.points.map(({ point }) => point)).toEqual(['request 1 EIO', 'request 2 EIO']);
});

test('a fault that hit nothing is an error of the rig', () => {
  const log = new FaultLog();
  expect(() => log.record({ ...fault, hit: '' })).toThrow(FaultMissedError);
  expect(() => log.record({ ...fault, hit: '' })).toThrow(/never fired: io, first copy: request 1 EIO/);
});

test('the same point twice is refused, the same name in another step is not', () => {
  const log = new FaultLog();
  log.record(fault);
  log.record({ ...fault, operation: 'growth' });
  log.record({ ...fault, kind: 'stall' });
  expect(() => log.record(fault)).toThrow(/recorded twice/);
});
