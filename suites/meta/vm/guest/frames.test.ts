/** Frames survive any way in which a stream is cut into pieces. Method: encode, cut at every place, decode. */
import { expect, test } from 'vitest';
import { encodeFrame, encodeRun, Frame, FrameDecoder, PAYLOAD_BYTES_MAX } from '../../../../vm/guest/frames.js';

const frames = [
  encodeFrame(Frame.stdout, 1, Buffer.from('hello')),
  encodeFrame(Frame.pong, 4_000_000_000),
  encodeFrame(Frame.stderr, 2, Buffer.from([0, 255, 10, 0])),
];
const stream = Buffer.concat(frames);

function decode(pieces: readonly Buffer[]): unknown[] {
  const decoder = new FrameDecoder();
  return pieces.flatMap((piece) => decoder.push(piece)).map(({ type, id, payload }) => [type, id, payload.toString('latin1')]);
}

const expected = [[Frame.stdout, 1, 'hello'], [Frame.pong, 4_000_000_000, ''], [Frame.stderr, 2, '\0\xff\n\0']];

test('a stream cut in two at any byte gives the same frames', () => {
  for (let cut = 0; cut <= stream.length; cut += 1) {
    expect(decode([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(expected);
  }
});

test('a stream that comes byte by byte gives the same frames', () => {
  expect(decode([...stream].map((byte) => Buffer.from([byte])))).toEqual(expected);
});

test('a length that no frame has is an error and not a wait without end', () => {
  expect(() => new FrameDecoder().push(Buffer.alloc(12, 0xff))).toThrow(/out of step/);
});

test('a command is its flags and its arguments, each ended by NUL', () => {
  expect(encodeRun(7, ['echo', 'a b', ''], 1).subarray(12).toString('latin1')).toBe('\x01\0\0\0echo\0a b\0\0');
});

test.for([[[]], [['']], [['echo', 'a\0b']]] as const)('a command that cannot be said is refused: %j', ([argv]) => {
  expect(() => encodeRun(1, argv, 0)).toThrow(RangeError);
});

test('a payload beyond the limit is refused', () => {
  expect(() => encodeFrame(Frame.stdin, 1, Buffer.alloc(PAYLOAD_BYTES_MAX + 1))).toThrow(RangeError);
});
