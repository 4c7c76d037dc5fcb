/** What was broken on purpose, what that hit, and what came of it: one entry for each fault that was injected.
 *  Knows nothing about what is tested. */

export const faultKinds = ['allocation', 'io', 'stall', 'removal', 'call', 'crash'] as const;

/** allocation: memory that could not be had. io: a request that failed. stall: a request that did not end until it was let.
 *  removal: a device or a user that went away. call: a caller that was interrupted or killed, or gave what cannot be used.
 *  crash: the power went. */
export type FaultKind = (typeof faultKinds)[number];

export interface FaultPoint {
  readonly kind: FaultKind;
  /** The step in which it was, such as `take` or `first copy`. */
  readonly operation: string;
  /** Which one within the step: a number of the order in which they come, or a name. Distinct within kind and operation. */
  readonly point: string;
  /** What was hit, such as `write of sectors 2048+8`. */
  readonly hit: string;
  /** What came of it, such as `ENOMEM, then the same call succeeded`. */
  readonly verdict: string;
}

/** A fault that hit nothing proves nothing: the test is wrong about where its fault goes. */
export class FaultMissedError extends Error {
  override readonly name = 'FaultMissedError';
  readonly blame = 'rig';
}

export class FaultLog {
  readonly #points = new Map<string, FaultPoint>();

  get points(): readonly FaultPoint[] {
    return [...this.#points.values()];
  }

  /** Throws FaultMissedError when the fault hit nothing, and Error when the same point was recorded before. */
  record(fault: FaultPoint): void {
    const place = `${fault.operation}: ${fault.point}`;
    if (fault.hit === '') throw new FaultMissedError(`the fault never fired: ${fault.kind}, ${place}`);
    const key = JSON.stringify([fault.kind, fault.operation, fault.point]);
    if (this.#points.has(key)) throw new Error(`recorded twice: ${fault.kind}, ${place}`);
    this.#points.set(key, fault);
  }
}
