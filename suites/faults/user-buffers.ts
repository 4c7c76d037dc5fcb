/** Each command, with the piece of memory missing that it reads or writes. */
import {
  controlCommand, ctlCommand, dirtyArgument, dirtyRanges, expect, filterCommand, filterName, mapArgument, stallAddress,
  type Device, type Snapshot, type StalledAnswer, type StalledCall,
} from '../fixtures/index.js';

const CONTROL = '/dev/blksnap-control';
const CTL_BYTES = 48;
const EVENT_BYTES = 4096;

export interface World {
  /** Filtered, and in the snapshot, which is taken and full. */
  readonly data: Device;
  /** No filter is there. */
  readonly free: Device;
  /** Filtered, and in no snapshot. */
  readonly second: Device;
  readonly snapshot: Snapshot;
  /** Of the snapshot no device was added to. */
  readonly empty: Snapshot;
}

export interface BufferCase {
  readonly what: string;
  readonly call: (world: World) => StalledCall;
  /** What it answers when its memory comes; default success. */
  readonly given?: Partial<StalledAnswer>;
}

const idOf = (snapshot: Snapshot): Buffer => Buffer.from(snapshot.id.replaceAll('-', ''), 'hex');

function control(cmd: number, size: number, pointer: bigint): Buffer {
  const bytes = Buffer.alloc(CTL_BYTES);
  filterName('blksnap').copy(bytes);
  bytes.writeUInt32LE(cmd, 32);
  bytes.writeUInt32LE(size, 36);
  bytes.writeBigUInt64LE(pointer, 40);
  return bytes;
}

/** A control whose option lies in the page. */
function missingOption(device: Device, cmd: number, option: Uint8Array): StalledCall {
  const head = control(cmd, option.length, stallAddress);
  return { path: device.path, command: filterCommand.ctl, bytes: Buffer.concat([head, option]), offset: CTL_BYTES };
}

/** A control whose option is there, and points to the page or to so many bytes before it. */
export function missingBuffer(device: Device, cmd: number, option: Uint8Array, behind: Uint8Array = new Uint8Array(0), before = 0): StalledCall {
  const offset = CTL_BYTES + option.length + before;
  const head = control(cmd, option.length, stallAddress - BigInt(option.length + before));
  return { path: device.path, command: filterCommand.ctl, bytes: Buffer.concat([head, option, Buffer.alloc(before, 0xaa), behind]), offset };
}

/** A structure of which so many bytes are there. */
function missingEnd(command: number, bytes: Uint8Array, offset: number): StalledCall {
  return { path: CONTROL, command, bytes, offset };
}

function eventArgument(snapshot: Snapshot): Buffer {
  const bytes = Buffer.alloc(EVENT_BYTES, 0xaa);
  idOf(snapshot).copy(bytes);
  bytes.writeUInt32LE(10_000, 16);
  return bytes;
}

function collectArgument(): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(8, 0);
  bytes.writeBigUInt64LE(stallAddress, 8);
  return bytes;
}

const SPLIT = 8;

export const cases: readonly BufferCase[] = [
  { what: 'attach: name', call: ({ free }) => ({ path: free.path, command: filterCommand.attach, bytes: filterName('blksnap'), offset: SPLIT }) },
  { what: 'detach: name', call: ({ second }) => ({ path: second.path, command: filterCommand.detach, bytes: filterName('blksnap'), offset: SPLIT }) },
  { what: 'control of a filter: structure', call: ({ data }) => ({ path: data.path, command: filterCommand.ctl, bytes: control(ctlCommand.cbtInfo, 40, stallAddress + 0x40n), offset: SPLIT }) },
  { what: 'cbtinfo: reply', call: ({ data }) => missingOption(data, ctlCommand.cbtInfo, Buffer.alloc(40)) },
  { what: 'cbtmap: structure', call: ({ data }) => missingOption(data, ctlCommand.cbtMap, mapArgument(0, 16, stallAddress + 0x40n)), given: { error: null, ret: 16 } },
  { what: 'cbtmap: buffer', call: ({ data }) => missingBuffer(data, ctlCommand.cbtMap, mapArgument(0, 257, stallAddress)), given: { error: null, ret: 257 } },
  { what: 'cbtmap: second half of the buffer',
    call: ({ data }) => missingBuffer(data, ctlCommand.cbtMap, mapArgument(0, 257, stallAddress - 128n), new Uint8Array(0), 128), given: { error: null, ret: 257 } },
  { what: 'cbtdirty: structure', call: ({ data }) => missingOption(data, ctlCommand.cbtDirty, dirtyArgument(0, 0n)) },
  { what: 'cbtdirty: ranges', call: ({ data }) => missingBuffer(data, ctlCommand.cbtDirty, dirtyArgument(1, stallAddress), dirtyRanges([64n, 8n])) },
  { what: 'snapshotadd: id', call: ({ second, empty }) => missingOption(second, ctlCommand.snapshotAdd, idOf(empty)) },
  { what: 'snapshotinfo: reply', call: ({ data }) => missingOption(data, ctlCommand.snapshotInfo, Buffer.alloc(36)) },
  { what: 'version: reply', call: () => missingEnd(controlCommand.version, Buffer.alloc(8), 4) },
  { what: 'create: structure', call: () => missingEnd(controlCommand.create, Buffer.alloc(32, 0xff), 16), given: { error: expect.stringMatching(/^(EINVAL|EBADF|ERANGE)$/) as string } },
  { what: 'take: id', call: ({ empty }) => missingEnd(controlCommand.take, idOf(empty), SPLIT), given: { error: 'ENODEV' } },
  { what: 'destroy: id', call: ({ empty }) => missingEnd(controlCommand.destroy, idOf(empty), SPLIT) },
  { what: 'collect: structure', call: () => missingEnd(controlCommand.collect, Buffer.alloc(16), SPLIT), given: { error: 'ENODATA' } },
  { what: 'collect: ids', call: () => missingEnd(controlCommand.collect, collectArgument(), 16) },
  { what: 'wait event: id', call: ({ snapshot }) => missingEnd(controlCommand.waitEvent, eventArgument(snapshot), SPLIT) },
  { what: 'wait event: reply', call: ({ snapshot }) => missingEnd(controlCommand.waitEvent, eventArgument(snapshot), 24) },
];
