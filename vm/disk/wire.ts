/** The NBD protocol as far as QEMU's client speaks it: fixed newstyle handshake, simple replies; pure.
 *  All numbers are big endian. Names are the protocol's own. */

export const HANDSHAKE_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const REPLY_MAGIC = 0x67446698;

export const CLIENT_NO_ZEROES = 2;
export const Option = { exportName: 1, abort: 2, list: 3, info: 6, go: 7 } as const;
export const Reply = { ack: 1, server: 2, info: 3, unsupported: 0x80000001, invalid: 0x80000003, unknown: 0x80000006 } as const;
export const Command = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, writeZeroes: 6 } as const;
export const CommandFlag = { fua: 1, noHole: 2 } as const;

const SERVER_FLAGS = 1 | 2; // fixed newstyle, no zeroes
const INFO_EXPORT = 0;
const INFO_BLOCK_SIZE = 3;
/** Has flags, and takes flush, FUA, trim and write-zeroes. */
const TRANSMISSION_FLAGS = 1 | 4 | 8 | 32 | 64;

/** Bytes of a request that carry no data; also the most that one request may ask for. */
export const REQUEST_BYTES = 28;
export const OPTION_BYTES = 16;
export const TRANSFER_BYTES_MAX = 32 << 20;

/** What the protocol can say; every other errno is sent as EIO. */
const errnoNumbers: Readonly<Record<string, number>> = {
  EPERM: 1, EIO: 5, ENOMEM: 12, EINVAL: 22, ENOSPC: 28, ENOTSUP: 95, ESHUTDOWN: 108,
};
export type DiskErrno = 'EPERM' | 'EIO' | 'ENOMEM' | 'EINVAL' | 'ENOSPC' | 'ENOTSUP' | 'ESHUTDOWN';

export interface OptionHead {
  readonly option: number;
  /** Bytes that follow. */
  readonly length: number;
}

export interface RequestHead {
  readonly command: number;
  readonly flags: number;
  readonly handle: bigint;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

export class WireError extends Error {
  override readonly name = 'WireError';
}

export function formatGreeting(): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.writeBigUInt64BE(HANDSHAKE_MAGIC, 0);
  bytes.writeBigUInt64BE(OPTION_MAGIC, 8);
  bytes.writeUInt16BE(SERVER_FLAGS, 16);
  return bytes;
}

/** Throws WireError for what is no option. */
export function parseOption(bytes: Buffer): OptionHead {
  if (bytes.readBigUInt64BE(0) !== OPTION_MAGIC) throw new WireError('not an option');
  return { option: bytes.readUInt32BE(8), length: bytes.readUInt32BE(12) };
}

export function formatOptionReply(option: number, reply: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(reply, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

/** The name in the data of Option.go and Option.info; undefined when it makes no sense. */
export function parseExportName(data: Buffer): string | undefined {
  if (data.length < 6) return undefined;
  const length = data.readUInt32BE(0);
  if (length > data.length - 6) return undefined;
  return data.toString('utf8', 4, 4 + length);
}

/** Size and abilities of the disk, as Option.exportName is answered without padding. */
export function formatExport(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 0);
  bytes.writeUInt16BE(TRANSMISSION_FLAGS, 8);
  return bytes;
}

/** The two pieces of information that Option.go is answered with. */
export function formatInfos(sizeBytes: number, blockBytes: number): readonly [Buffer, Buffer] {
  const size = Buffer.concat([Buffer.from([0, INFO_EXPORT]), formatExport(sizeBytes)]);
  const block = Buffer.alloc(14);
  block.writeUInt16BE(INFO_BLOCK_SIZE, 0);
  block.writeUInt32BE(blockBytes, 2);
  block.writeUInt32BE(4096, 6);
  block.writeUInt32BE(TRANSFER_BYTES_MAX, 10);
  return [size, block];
}

/** Throws WireError for what is no request. */
export function parseRequest(bytes: Buffer): RequestHead {
  if (bytes.readUInt32BE(0) !== REQUEST_MAGIC) throw new WireError('not a request');
  return {
    flags: bytes.readUInt16BE(4),
    command: bytes.readUInt16BE(6),
    handle: bytes.readBigUInt64BE(8),
    offset: Number(bytes.readBigUInt64BE(16)),
    length: bytes.readUInt32BE(24),
  };
}

/** `errno` undefined: it succeeded, and `data` is what was read. */
export function formatReply(handle: bigint, errno: DiskErrno | undefined, data?: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(REPLY_MAGIC, 0);
  head.writeUInt32BE(errno === undefined ? 0 : errnoNumbers[errno] ?? 5, 4);
  head.writeBigUInt64BE(handle, 8);
  return errno === undefined && data ? Buffer.concat([head, data]) : head;
}
