/** What a backup tool holds: a full copy of a first image, patched block by block with what the maps report. It goes by what
 *  the guest answers alone, and must equal each image (CBT-11). Pure. */
import { SECTOR } from './steps.js';

export interface SeenMap {
  readonly generation: string;
  readonly blockSize: number;
  readonly changes: number;
  readonly map: Uint8Array;
}

interface Backup {
  generation: string;
  since: number;
  sums: Uint32Array;
}

export class Backups {
  readonly #backups = new Map<number, Backup>();

  /** The image is there, with its map: what is wrong with the copy made by that map, or undefined. */
  update(device: number, image: Uint32Array, { generation, blockSize, changes, map }: SeenMap): string | undefined {
    const old = this.#backups.get(device);
    if (old?.generation !== generation || old.sums.length !== image.length) {
      this.#backups.set(device, { generation, since: changes, sums: image.slice() });
      return undefined;
    }
    const sectors = blockSize / SECTOR;
    map.forEach((byte, block) => {
      if (byte > old.since) old.sums.set(image.subarray(block * sectors, (block + 1) * sectors), block * sectors);
    });
    old.since = changes;
    const wrong = old.sums.findIndex((sum, sector) => sum !== image[sector]);
    if (wrong < 0) return undefined;
    return `a backup of device ${device} by the maps differs from its image at sector ${wrong}, in block ${Math.floor(wrong / sectors)}`;
  }
}
