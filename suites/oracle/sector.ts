/** Sectors that say who they are: the same bytes as `blkio fill` writes (vm/guest/tools/sector.h); pure.
 *  512 bytes, little-endian: magic, device, sector (u64), version (u64), 122 words of noise that follow from these. */

export const SECTOR_BYTES = 512;
export const SECTOR_WORDS = SECTOR_BYTES / 4;
const MAGIC = 0x534b4c42;
const NOISE_WORD = 6;
const STEP = 0x9e3779b1;

export interface SectorIdentity {
  readonly device: number;
  readonly sector: number;
  readonly version: number;
}

/** Where the noise begins: another number for each device, for each sector, and for each version. */
function seedOf({ device, sector, version }: SectorIdentity): number {
  let x = Math.imul(device, 0x9e3779b1) ^ Math.imul(sector, 0x85ebca77) ^ Math.imul(version, 0xc2b2ae3d);
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return x ^ x >>> 16;
}

/** All words of a sector. */
export function makeSector(identity: SectorIdentity, words = new Uint32Array(SECTOR_WORDS)): Uint32Array {
  const { device, sector, version } = identity;
  words[0] = MAGIC;
  words[1] = device;
  words[2] = sector;
  words[3] = Math.floor(sector / 2 ** 32);
  words[4] = version;
  words[5] = Math.floor(version / 2 ** 32);
  let x = seedOf(identity);
  for (let at = NOISE_WORD; at < SECTOR_WORDS; at++) {
    words[at] = x;
    x = (x + STEP) | 0;
  }
  return words;
}

/** What a sector says of itself, in words: its identity, zeroes, or that it is neither. */
export function describeSector(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR_BYTES);
  if (bytes.every((byte) => byte === 0)) return 'zeroes';
  if (view.getUint32(0, true) !== MAGIC) return `foreign data ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}…`;
  const identity = { device: view.getUint32(4, true), sector: Number(view.getBigUint64(8, true)), version: Number(view.getBigUint64(16, true)) };
  const who = `device ${identity.device} sector ${identity.sector} version ${identity.version}`;
  const wrong = makeSector(identity).findIndex((word, at) => view.getUint32(4 * at, true) !== word);
  return wrong < 0 ? who : `torn sector that says ${who}, which is wrong at byte ${4 * wrong}`;
}
