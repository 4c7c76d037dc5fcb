/** Requests that are held back, and what may be done with them. */
import type { DiskRequest, RequestMatch } from './request.js';
import type { DiskErrno } from './wire.js';

/** What a held request can be made to do; the disk does it. */
export interface HeldActions {
  apply(): void;
  answer(): void;
  fail(errno: DiskErrno, appliedSectors: number): void;
}

export class HeldRequest {
  readonly request: DiskRequest;
  readonly #actions: HeldActions;
  #over = false;

  constructor(request: DiskRequest, actions: HeldActions) {
    this.request = request;
    this.#actions = actions;
  }

  get isHeld(): boolean {
    return !this.#over;
  }

  /** Reads or writes its data now, and does not tell the guest. */
  apply(): void {
    this.#actions.apply();
  }

  /** Reads or writes its data, unless that was done, and tells the guest. */
  release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#actions.apply();
    this.#actions.answer();
  }

  /** Tells the guest that its data was written, and does not write it: a disk that lies. */
  forge(): void {
    if (this.#over) throw new RangeError('the request was answered before');
    if (this.request.kind === 'read') throw new RangeError('a read has no data but its own');
    this.#over = true;
    this.#actions.answer();
  }

  /** Tells the guest that it failed. Of a write, that many sectors are written nevertheless (default none). */
  fail(errno: DiskErrno, appliedSectors = 0): void {
    if (this.#over) throw new RangeError('the request was answered before');
    this.#over = true;
    this.#actions.fail(errno, appliedSectors);
  }
}

/** Catches every request that matches, as long as it lasts. */
export class Hold {
  readonly match: RequestMatch;
  /** In the order in which they came. */
  readonly caught: HeldRequest[] = [];
  readonly #wait: (hold: Hold, ready: () => boolean) => Promise<void>;
  #isOpen = true;
  #taken = 0;

  constructor(match: RequestMatch, wait: (hold: Hold, ready: () => boolean) => Promise<void>) {
    this.match = match;
    this.#wait = wait;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The next one that was or will be caught. Rejects when none comes in time, and says what came instead. */
  async next(): Promise<HeldRequest> {
    const at = this.#taken++;
    await this.#wait(this, () => this.caught.length > at);
    return this.caught[at] as HeldRequest;
  }

  /** Catches no more; what is held stays held. */
  close(): void {
    this.#isOpen = false;
  }

  /** Catches no more, and lets all go in the order in which they came. */
  release(): void {
    this.close();
    for (const held of this.caught) held.release();
  }
}
