/** Structures are exactly as long as the wire format says, and their padding is zero.
 *  Method: raw calls with arguments full of 0xAA. */
import {
  behind, controlCommand, ctlCommand, dataDisk, expect, FILLER, filterCommand, filterCtl, filterName, ioctl, test, type IoctlAnswer,
} from '../fixtures/index.js';

const BEYOND = 32;

function filled(bytes: number): Buffer {
  return Buffer.alloc(bytes, FILLER);
}

/** The option must have been written to `bytes`, and not beyond. */
function expectSpared({ out }: IoctlAnswer, bytes: number): void {
  expect(out.subarray(bytes, bytes + BEYOND)).toEqual(filled(BEYOND));
}

test('cbtinfo is 40 bytes of which each is defined', { meta: { spec: ['ABI-01'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const answer = await filterCtl(l.guest, device.path, ctlCommand.cbtInfo, filled(40 + BEYOND), { optlen: 40 });
  expect(answer).toMatchObject({ ret: 0, error: null });
  const info = await device.cbtInfo();
  expect(answer.out.readBigUInt64LE(0)).toBe(BigInt(dataDisk.sizeBytes));
  expect([answer.out.readUInt32LE(8), answer.out.readUInt32LE(12)]).toEqual([info.block_size, info.block_count]);
  expect(answer.out.subarray(16, 32).toString('hex')).toBe(info.generation.replaceAll('-', ''));
  expect(answer.out.subarray(32, 40)).toEqual(Buffer.alloc(8));
  expectSpared(answer, 40);
});

test('snapshotinfo is 36 bytes of which each is defined, before the take and after', { meta: { spec: ['ABI-01', 'IMG-01'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const ask = (): Promise<IoctlAnswer> => filterCtl(l.guest, device.path, ctlCommand.snapshotInfo, filled(36 + BEYOND), { optlen: 36 });
  const snapshot = await l.createSnapshot();
  await snapshot.add(device);
  const before = await ask();
  if (before.error === null) expect(before.out.subarray(0, 36)).toEqual(Buffer.alloc(36));
  await snapshot.take();
  const after = await ask();
  const { image } = await device.snapshotInfo();
  const expected = Buffer.alloc(36);
  expected.write(image ?? 'an image', 4);
  expect(after.out.subarray(0, 36)).toEqual(expected);
  expectSpared(before, 36);
  expectSpared(after, 36);
});

test('the argument that comes in only goes back unchanged', { meta: { spec: ['ABI-01'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  const name = filterName('blksnap');
  expect((await ioctl(l.guest, device.path, filterCommand.attach, Buffer.concat([name, filled(BEYOND)]))).out).toEqual(Buffer.concat([name, filled(BEYOND)]));
  expect((await ioctl(l.guest, device.path, filterCommand.detach, Buffer.concat([name, filled(BEYOND)]))).out).toEqual(Buffer.concat([name, filled(BEYOND)]));
});

test('the version is 8 bytes, and of generation 6 or later', { meta: { spec: ['ABI-01'] } }, async ({ lab }) => {
  const l = await lab();
  const answer = await ioctl(l.guest, '/dev/blksnap-control', controlCommand.version, filled(8 + BEYOND));
  expect(answer).toMatchObject({ ret: 0, error: null });
  expectSpared(answer, 8);
  expect(answer.out.subarray(0, 8)).not.toEqual(filled(8));
});

test('collect tells count and names, fills nothing when there is too little room, and fills no more than it says', { meta: { spec: ['ABI-01', 'SNP-01'] } }, async ({ lab }) => {
  const l = await lab();
  const { id } = await l.createSnapshot();
  const ask = async (count: number, pointer: bigint): Promise<IoctlAnswer> => {
    const argument = Buffer.alloc(16);
    argument.writeUInt32LE(count, 0);
    argument.writeBigUInt64LE(pointer, 8);
    return ioctl(l.guest, '/dev/blksnap-control', controlCommand.collect, Buffer.concat([argument, filled(48)]));
  };
  const ids = behind(16) - 48n;
  const asked = await ask(0, 0n);
  expect(asked.error === null || asked.error === 'ENODATA').toBe(true);
  expect(asked.out.readUInt32LE(0)).toBe(1);
  expect(asked.out.subarray(16)).toEqual(filled(48));
  const answer = await ask(3, ids);
  expect(answer).toMatchObject({ ret: 0, error: null });
  expect(answer.out.readUInt32LE(0)).toBe(1);
  expect(answer.out.subarray(16, 32).toString('hex')).toBe(id.replaceAll('-', ''));
  expect(answer.out.subarray(32)).toEqual(filled(32));
});

test('the control device is for root alone, and knows no other commands', { meta: { spec: ['ABI-02', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  expect(await l.sh('stat -c "%a %u %F" /dev/blksnap-control')).toBe('600 0 character special file');
  for (const command of [0x5606, 0x8008_5607, 0x4008_5600, 0xc008_5600, 0x8010_5600, 0xc018_5601, 0x4020_5602, filterCommand.attach]) {
    expect(await ioctl(l.guest, '/dev/blksnap-control', command, filled(64)), command.toString(16)).toMatchObject({ error: 'ENOTTY' });
  }
});
