/** What the sectors of a device or an image hold: a version each, 0 for zeroes. Pure. */
import { sumOf } from '../fixtures/sectors.js';
import { xxh32 } from '../oracle/xxh32.js';
import { SECTOR_WORDS } from '../oracle/sector.js';
import type { Range } from './steps.js';

export const ZERO_SUM = xxh32(new Uint32Array(SECTOR_WORDS));

export class Content {
  readonly device: number;
  readonly #versions: Uint32Array<ArrayBuffer>;
  readonly #sums: Uint32Array<ArrayBuffer>;

  constructor(device: number, versions: Uint32Array<ArrayBuffer>, sums: Uint32Array<ArrayBuffer>) {
    this.device = device;
    this.#versions = versions;
    this.#sums = sums;
  }

  static zeroes(device: number, sectors: number): Content {
    return new Content(device, new Uint32Array(sectors), new Uint32Array(sectors).fill(ZERO_SUM));
  }

  get length(): number {
    return this.#versions.length;
  }

  /** The first so many sectors, as they are now. */
  copy(sectors: number): Content {
    return new Content(this.device, this.#versions.slice(0, sectors), this.#sums.slice(0, sectors));
  }

  write({ at, count }: Range, version: number): void {
    for (let sector = at; sector < at + count; sector++) this.set(sector, version);
  }

  set(sector: number, version: number): void {
    this.#versions[sector] = version;
    this.#sums[sector] = this.sum(sector, version);
  }

  sum(sector: number, version: number): number {
    return version === 0 ? ZERO_SUM : sumOf({ device: this.device, sector, version });
  }

  version(sector: number): number {
    return this.#versions[sector] as number;
  }

  /** What differs in words; undefined when it is what it must be. */
  wrong(what: string, { at, count }: Range, seen: Uint32Array): string | undefined {
    if (seen.length !== count) return `${what}: ${seen.length} sectors, not ${count}`;
    const bad = [...Array(count).keys()].filter((index) => seen[index] !== this.#sums[at + index]);
    const first = bad[0];
    if (first === undefined) return undefined;
    const last = bad.at(-1) as number;
    const where = bad.length === 1 ? `sector ${at + first}` : `${bad.length} sectors from ${at + first} to ${at + last}`;
    return `${what}: ${where} ${bad.length === 1 ? 'is' : 'are'} not as it must be: ` +
      `sector ${at + first} is not ${this.#name(at + first)}`;
  }

  #name(sector: number): string {
    const version = this.version(sector);
    return version === 0 ? 'zeroes' : `version ${version}`;
  }
}
