/** What the host's end of the control channel makes of what the agent sends. Method: frames, and a socket that is none. */
import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Channel } from '../../../../vm/guest/channel.js';
import { encodeFrame, Frame } from '../../../../vm/guest/frames.js';

test('kernel records that are missing leave a line in their place', async () => {
  const socket = new PassThrough();
  const channel = new Channel(socket as unknown as Socket);
  for (const record of ['6,7,100,-;a\n', '6,8,200,-;b\n', '6,11,300,-;c\n', '6,12,400,-;d\n']) {
    socket.write(encodeFrame(Frame.klog, 0, Buffer.from(record)));
  }
  await new Promise(setImmediate);
  expect(channel.klog.map(({ text }) => text)).toEqual(['a', 'b', 'klog: 2 records were overwritten before they were read', 'c', 'd']);
});
