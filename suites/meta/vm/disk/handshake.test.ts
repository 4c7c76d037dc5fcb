/** The handshake is the one of the NBD protocol document. Method: both sides in memory, answers compared byte by byte. */
import { expect, test } from 'vitest';
import { shakeHands } from '../../../../vm/disk/handshake.js';
import { formatReply, OPTION_MAGIC, parseRequest } from '../../../../vm/disk/wire.js';
import { goData } from './client.js';

const facts = { name: 'data', sizeBytes: 0x600, blockBytes: 512 };
const GREETING = '4e42444d41474943' + '49484156454f5054' + '0003';
const replyHead = (option: string, reply: string, length: string): string => `0003e889045565a9${option}${reply}${length}`;
const ABILITIES = '006d';

function option(number: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(OPTION_MAGIC, 0);
  head.writeUInt32BE(number, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

/** What is answered to a client that sends just this. */
async function talk(sent: Buffer): Promise<{ served: boolean; answers: string }> {
  let left = sent;
  const answers: Buffer[] = [];
  const take = async (bytes: number): Promise<Buffer | undefined> => {
    if (left.length < bytes) return undefined;
    const taken = left.subarray(0, bytes);
    left = left.subarray(bytes);
    return taken;
  };
  const served = await shakeHands({ take, send: (bytes) => { answers.push(bytes); } }, facts);
  return { served, answers: Buffer.concat(answers).toString('hex') };
}

const flags = (value: number): Buffer => Buffer.from([0, 0, 0, value]);

test('GO tells size, abilities and block sizes, and the talk is over', async () => {
  const infos = replyHead('00000007', '00000003', '0000000c') + '0000' + '0000000000000600' + ABILITIES
    + replyHead('00000007', '00000003', '0000000e') + '0003' + '00000200' + '00001000' + '02000000';
  expect(await talk(Buffer.concat([flags(3), option(7, goData('data'))]))).toEqual({
    served: true, answers: GREETING + infos + replyHead('00000007', '00000001', '00000000'),
  });
});

test('EXPORT_NAME is answered with zeroes behind, unless the client can do without', async () => {
  const facts = `0000000000000600${ABILITIES}`;
  const name = Buffer.from('data');
  expect(await talk(Buffer.concat([flags(3), option(1, name)]))).toEqual({ served: true, answers: GREETING + facts });
  expect(await talk(Buffer.concat([flags(1), option(1, name)]))).toEqual({ served: true, answers: GREETING + facts + '00'.repeat(124) });
});

test.for([
  ['an option that is not known, such as structured replies', option(8), replyHead('00000008', '80000001', '00000000')],
  ['another export', option(7, goData('other')), replyHead('00000007', '80000006', '00000000')],
  ['a name longer than its option', option(7, Buffer.from([0, 0, 1, 0, 0, 0])), replyHead('00000007', '80000003', '00000000')],
  ['ABORT', option(2), replyHead('00000002', '00000001', '00000000')],
  ['LIST', option(3), replyHead('00000003', '00000002', '00000008') + '00000004' + Buffer.from('data').toString('hex') + replyHead('00000003', '00000001', '00000000')],
] as const)('%s is answered, and no request may come', async ([, sent, answers]) => {
  expect(await talk(Buffer.concat([flags(3), sent]))).toEqual({ served: false, answers: GREETING + answers });
});

test.for([
  ['what is no option', Buffer.alloc(16, 1)],
  ['an option without end', Buffer.concat([option(7).subarray(0, 12), Buffer.from([0xff, 0, 0, 0])])],
] as const)('%s ends the talk', async ([, sent]) => {
  await expect(talk(Buffer.concat([flags(3), sent]))).rejects.toThrow(/option/);
});

test('a request and its reply are read and written as the protocol has them', () => {
  const bytes = Buffer.from('25609513' + '0001' + '0001' + '0102030405060708' + '0000000000001000' + '00000200', 'hex');
  expect(parseRequest(bytes)).toEqual({ flags: 1, command: 1, handle: 0x0102030405060708n, offset: 4096, length: 512 });
  expect(formatReply(0x0102030405060708n, undefined, Buffer.from('ab')).toString('hex')).toBe('67446698' + '00000000' + '0102030405060708' + '6162');
  expect(formatReply(1n, 'ENOSPC', Buffer.from('ab')).toString('hex')).toBe('67446698' + '0000001c' + '0000000000000001');
  expect(() => parseRequest(Buffer.alloc(28))).toThrow(/not a request/);
});
