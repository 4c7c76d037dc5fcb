/** Requests of QEMU's own, whose answers let those before them end.
 *
 *  QEMU's NBD client (block/nbd.c, seen in 7.2) ends a request under the lock that it also holds while it waits for the socket.
 *  Of three requests in flight the second can be answered, and does not end in the guest until the first or the third is: as long
 *  as those are held, never. Any further answer lets it end; so one is made: a read of QEMU's, which no guest sees. It needs a
 *  place among the 16 that QEMU keeps in flight: who holds more than 14 has none. */
import { SECTOR_BYTES } from '../units.js';

/** Bytes. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Has QEMU read there, past the guest. Resolves when it was told to; rejects when it cannot. */
export type AskQemu = (place: Place) => Promise<unknown>;

/** One may be on its way before QEMU has looked at the answer; the second one comes after that. */
const NEEDED = 2;
const SECTORS_MAX = 7;

export class Nudges {
  /** Without it there are none. */
  ask: AskQemu | undefined;
  /** Why there are none any more. */
  refusal: string | undefined;
  readonly #sectors: number;
  #place: Place | undefined;
  #owed = 0;
  #chance = 1;

  constructor(sizeBytes: number) {
    this.#sectors = Math.floor(sizeBytes / SECTOR_BYTES) - SECTORS_MAX;
  }

  /** A request was answered while others were not. */
  owe(): void {
    this.#owed = NEEDED;
    this.#next();
  }

  /** Whether this read is a nudge, which then is over: it is to be answered at once, and never told of. */
  take({ kind, offset, length }: Place & { readonly kind: string }): boolean {
    if (kind !== 'read' || offset !== this.#place?.offset || length !== this.#place.length) return false;
    this.#place = undefined;
    setImmediate(() => this.#next());
    return true;
  }

  /** Scattered, and the same in each run: the minimal standard generator of Park and Miller. */
  #below(end: number): number {
    this.#chance = (this.#chance * 48_271) % 2_147_483_647;
    return this.#chance % end;
  }

  #next(): void {
    if (!this.ask || this.#place || this.#owed === 0 || this.#sectors < 1) return;
    this.#owed -= 1;
    // Hardly what the guest happens to read at the same time.
    this.#place = { offset: this.#below(this.#sectors) * SECTOR_BYTES, length: (1 + this.#below(SECTORS_MAX)) * SECTOR_BYTES };
    // It has no such disk any more, or has gone.
    this.ask(this.#place).catch(({ message }: Error) => { [this.ask, this.refusal] = [undefined, message]; });
  }
}
