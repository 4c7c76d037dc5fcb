/** The map may be read in any pieces, which put together are the map.
 *  Method: read it whole and in pieces by raw calls into memory of known content. */
import { badPointer, behind, ctlCommand, dataDisk, expect, FILLER, filterCtl, fio, mapArgument, playWrites, startLoad, test, type Device } from '../fixtures/index.js';
import { CbtModel } from '../oracle/cbt.js';

const SECTOR = 512;
const params = { tracking_block_minimum_shift: 12 };
const MAP_ARGUMENT_BYTES = 16;

/** One call; `room` bytes are behind the argument, all of them filled before. */
async function readPiece(device: Device, offset: number, length: number, room = length) {
  const argument = mapArgument(offset, length, behind(MAP_ARGUMENT_BYTES));
  const { ret, error, out } = await filterCtl(device.guest, device.path, ctlCommand.cbtMap, argument, { more: Buffer.alloc(room, FILLER) });
  return { ret, error, bytes: out.subarray(MAP_ARGUMENT_BYTES) };
}

test('pieces of the map, put together, are the map', { meta: { spec: ['CBT-06'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  await playWrites(device, Array.from({ length: 300 }, () => ({ offset: random.below(dataDisk.sizeBytes / SECTOR) * SECTOR, length: SECTOR })));
  await l.takeSnapshot(device);
  const { block_count: count } = await device.cbtInfo();
  const whole = await device.cbtMap();
  expect(whole.length).toBe(count);
  expect(whole.filter((byte) => byte > 0).length).toBeGreaterThan(200);
  for (const size of [1000, 4095, 4096, count - 1]) {
    const pieces: Buffer[] = [];
    for (let offset = 0; offset < count; offset += size) {
      const { ret, bytes } = await readPiece(device, offset, size);
      pieces.push(bytes.subarray(0, ret));
    }
    expect(Buffer.concat(pieces), `in pieces of ${size}`).toMark(whole);
  }
  for (const offset of [0, 1, 7, 4095, 4096, count - 1]) {
    expect(await readPiece(device, offset, 1)).toMatchObject({ ret: 1, bytes: whole.subarray(offset, offset + 1) });
  }
});

test('a read past the end of the map is short and leaves the rest of the memory alone', { meta: { spec: ['CBT-06', 'ABI-01'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  const { block_count: count } = await device.cbtInfo();
  const { ret, bytes } = await readPiece(device, count - 3, 50);
  expect(ret).toBe(3);
  expect(bytes).toEqual(Buffer.concat([Buffer.alloc(3), Buffer.alloc(47, FILLER)]));
});

test('a read at the end of the map is empty', { meta: { spec: ['CBT-06'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  const { block_count: count } = await device.cbtInfo();
  for (const offset of [count, count + 1, 0xffff_ffff]) {
    expect(await readPiece(device, offset, 10), `at ${offset}`).toMatchObject({ ret: 0, error: null, bytes: Buffer.alloc(10, FILLER) });
  }
});

test('a huge length reads what there is', { meta: { spec: ['CBT-06', 'ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  const { blockCount } = new CbtModel(dataDisk.sizeBytes);
  expect(await readPiece(device, 0, 0xffff_ffff, blockCount)).toMatchObject({ ret: blockCount });
});

test('memory that is not there is EFAULT', { meta: { spec: ['ABI-03'] } }, async ({ lab }) => {
  const l = await lab();
  const device = l.disk('data');
  await l.attach(device);
  for (const pointer of [0n, badPointer, 0xffff_8880_0000_0000n, 0xffff_ffff_ffff_fff0n]) {
    expect(await filterCtl(l.guest, device.path, ctlCommand.cbtMap, mapArgument(0, 8, pointer)), `${pointer}`).toMatchObject({ error: 'EFAULT' });
  }
});

test('the map reads the same while the device is written and read by others', { meta: { spec: ['CBT-05', 'CBT-06'] } }, async ({ lab }) => {
  const l = await lab({ params });
  const device = l.disk('data');
  await l.attach(device);
  await fio(l.guest, { filename: device.path, rw: 'randwrite', bs: 4096, size: '16m', number_ios: 500 });
  await l.takeSnapshot(device);
  const whole = await device.cbtMap();
  const load = startLoad(l.guest, { filename: device.path, rw: 'randwrite', bs: 4096, size: '16m' });
  await load.started;
  for (let round = 0; round < 20; round++) expect(await device.cbtMap()).toMark(whole);
  await load.stop();
});
