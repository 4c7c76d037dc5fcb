/** Makes a disk's file what survived a crash; from one state to the next it writes only what differs. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { SECTOR_BYTES } from '../units.js';
import type { Change } from './crash-points.js';
import type { DiskRequest } from './request.js';

const ZEROES = Buffer.alloc(SECTOR_BYTES);

/** The latest change of each sector. */
type Content = ReadonlyMap<number, Change>;

export class CrashReplay {
  readonly #base: number;
  readonly #target: number;
  readonly #scratch = Buffer.alloc(SECTOR_BYTES);
  #shown: Content = new Map();
  #spoilt = new Set<number>();

  /** The target must be a copy of the base. */
  constructor(basePath: string, targetPath: string) {
    this.#base = openSync(basePath, 'r');
    this.#target = openSync(targetPath, 'r+');
  }

  /** The target holds the base and these changes. */
  show(changes: readonly Change[]): void {
    const content = contentOf(changes);
    for (const sector of this.#spoilt) this.#put(sector, content.get(sector));
    for (const [sector, change] of content) if (this.#shown.get(sector)?.applied !== change.applied) this.#put(sector, change);
    for (const sector of this.#shown.keys()) if (!content.has(sector)) this.#put(sector, undefined);
    this.#shown = content;
    this.#spoilt = new Set();
  }

  /** Somebody else has sent these to the target. */
  spoilt(requests: readonly DiskRequest[]): void {
    for (const { kind, sector, sectors } of requests) {
      if (kind === 'read') continue;
      for (let at = sector; at < sector + sectors; at++) this.#spoilt.add(at);
    }
  }

  close(): void {
    closeSync(this.#base);
    closeSync(this.#target);
  }

  #put(sector: number, change: Change | undefined): void {
    const at = change ? (sector - change.sector) * SECTOR_BYTES : 0;
    const data = change ? change.data?.subarray(at, at + SECTOR_BYTES) ?? ZEROES : this.#ofBase(sector);
    writeSync(this.#target, data, 0, SECTOR_BYTES, sector * SECTOR_BYTES);
  }

  #ofBase(sector: number): Buffer {
    readSync(this.#base, this.#scratch, 0, SECTOR_BYTES, sector * SECTOR_BYTES);
    return this.#scratch;
  }
}

function contentOf(changes: readonly Change[]): Content {
  const content = new Map<number, Change>();
  for (const change of changes) {
    for (let sector = change.sector; sector < change.sector + change.sectors; sector++) {
      if ((content.get(sector)?.applied ?? -1) < change.applied) content.set(sector, change);
    }
  }
  return content;
}
