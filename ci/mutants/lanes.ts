/** The mutants of a run in their turn, several side by side: one test that kills takes one core. */
import type { Mutant } from './load.js';

export interface Turns {
  /** The next one to try; undefined when there is none. */
  readonly next: () => Promise<Mutant | undefined>;
  /** This one is nobody's bug: another may take its place. */
  readonly giveBack: () => void;
}

export interface TurnsOptions {
  readonly written: readonly Mutant[];
  readonly systematic: AsyncIterator<{ mutant: Mutant } | { mutant: Mutant; why: string }, unknown>;
  /** Of the systematic ones so many are tried. */
  readonly count: number;
  /** Is told of those that nobody can tell from the code as it is. */
  readonly onEquivalent: (mutant: Mutant, why: string) => void;
}

/** The written ones first. */
export function turnsOf({ written, systematic, count, onEquivalent }: TurnsOptions): Turns {
  const waiting = [...written];
  let left = count;
  const nextSystematic = async (): Promise<Mutant | undefined> => {
    for (;;) {
      const next = await systematic.next();
      if (next.done === true) return undefined;
      if (!('why' in next.value)) return next.value.mutant;
      onEquivalent(next.value.mutant, next.value.why);
    }
  };
  return {
    next: async () => {
      const written = waiting.shift();
      if (written !== undefined || left <= 0) return written;
      left--;
      return nextSystematic();
    },
    giveBack: () => {
      left++;
    },
  };
}

/** Tries all of them, one on each lane at a time. When one throws, those under way end, no other begins, and the first error is thrown. */
export async function onLanes<L>(lanes: readonly L[], turns: Turns, attempt: (mutant: Mutant, lane: L) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  const fill = async (lane: L) => {
    while (errors.length === 0) {
      const mutant = await turns.next();
      if (mutant === undefined) return;
      await attempt(mutant, lane);
    }
  };
  await Promise.all(lanes.map((lane) => fill(lane).catch((error: unknown) => errors.push(error))));
  if (errors.length > 0) throw errors[0];
}
