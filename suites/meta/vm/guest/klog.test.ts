/** Kernel log records are read as the kernel writes them. Method: records, pure. */
import { expect, test } from 'vitest';
import { formatKlog, parseKmsg, sequenceOf } from '../../../../vm/guest/klog.js';

test('level, time and text are taken; what follows on further lines is not text', () => {
  expect(parseKmsg('28,412,5140900,-;sd 0:0:1:0: [sda] gone\n SUBSYSTEM=scsi\n DEVICE=+scsi:0:0:1:0\n')).toEqual({
    level: 4, timeUs: 5_140_900, text: 'sd 0:0:1:0: [sda] gone',
  });
});

test('escaped bytes and further prefix fields are understood', () => {
  expect(parseKmsg('6,1,0,c,caller=T1;tab\\x09end\n')?.text).toBe('tab\tend');
});

test('what is no record is no line', () => {
  expect(parseKmsg('garbage')).toBeUndefined();
  expect(sequenceOf('garbage')).toBeUndefined();
});

test('a line prints as dmesg prints it', () => {
  expect(formatKlog({ level: 6, timeUs: 1_234_567, text: 'hello' })).toBe('[    1.234567] hello');
});
