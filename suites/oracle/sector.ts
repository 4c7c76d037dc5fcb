/** Sectors that say who they are: the same bytes as `blkio fill` writes (vm/guest/tools).
 *  512 bytes, little-endian: magic, device, sector (u64), version (u64), 121 words of noise, CRC-32 of all before. */

export const SECTOR_BYTES = 512;
const MAGIC = 0x534b4c42;
const CRC_OFFSET = SECTOR_BYTES - 4;

export interface SectorIdentity {
  readonly device: number;
  readonly sector: number;
  readonly version: number;
}

/** CRC-32 as zlib computes it; given by the caller, for the oracle imports nothing. */
export type Crc32 = (data: Uint8Array) => number;

export function makeSector({ device, sector, version }: SectorIdentity, crc32: Crc32): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, device, true);
  view.setBigUint64(8, BigInt(sector), true);
  view.setBigUint64(16, BigInt(version), true);
  let x = ((Math.imul(device, 0x9e3779b1) ^ Math.imul(sector >>> 0, 0x85ebca77) ^ Math.imul(version >>> 0, 0xc2b2ae3d)) | 1) >>> 0;
  for (let offset = 24; offset < CRC_OFFSET; offset += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    view.setUint32(offset, x >>> 0, true);
  }
  view.setUint32(CRC_OFFSET, crc32(bytes.subarray(0, CRC_OFFSET)), true);
  return bytes;
}

/** What a sector says of itself, in words: its identity, zeroes, or that it is neither. */
export function describeSector(bytes: Uint8Array, crc32: Crc32): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR_BYTES);
  if (bytes.every((byte) => byte === 0)) return 'zeroes';
  if (view.getUint32(0, true) !== MAGIC) return `foreign data ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}…`;
  const who = `device ${view.getUint32(4, true)} sector ${view.getBigUint64(8, true)} version ${view.getBigUint64(16, true)}`;
  return view.getUint32(CRC_OFFSET, true) === crc32(bytes.subarray(0, CRC_OFFSET)) ? who : `torn sector that says ${who}`;
}
