/** One guest after the other that plays sequence after sequence; what fails is repeated on a restored guest and shrunk. */
import { openLab, type Lab } from '../fixtures/lab.js';
import type { SuiteSettings } from '../fixtures/settings.js';
import { seedFor } from '../oracle/rng.js';
import type { Coverage } from './coverage.js';
import { generate } from './generate.js';
import { clearStage, explorerLab, setStage } from './machine.js';
import { play, MismatchError } from './play.js';
import { playAlone } from './play-alone.js';
import { shrink } from './shrink.js';
import type { Sequence } from './steps.js';

/** Sequences of one guest, before it is looked over and another one is restored. */
const PER_GUEST = 20;
/** How often a failure is repeated before it counts as one that does not repeat. */
const REPEATS = 3;

export interface Found {
  /** By which the sequence can be made again. */
  readonly number: number;
  /** What was seen first. */
  readonly message: string;
  /** What is left of it; undefined when it does not fail on a guest of its own. */
  readonly shrunk?: { readonly sequence: Sequence; readonly message: string; readonly attempts: number };
  /** Sequences that the guest had played before. */
  readonly before: readonly number[];
  /** From the failure on. */
  readonly shrinkMs: number;
}

export interface Explorer {
  readonly settings: SuiteSettings;
  readonly coverage: Coverage;
  /** Steps of a sequence. */
  readonly steps: number;
  /** No further sequence, or attempt to shrink one, is to begin. */
  readonly isOver: (work: 'sequence' | 'shrink') => boolean;
  readonly tell: {
    sequence(): void;
    /** It failed, and is now looked into. */
    failed(number: number, message: string): void;
    attempt(steps: number, stillFails: boolean): void;
    foundOne(found: Found): void;
  };
}

export const sequenceNumber = (seed: number, guest: number, index: number): number => seedFor(seed, `guest ${guest}, sequence ${index}`);

/** `next` gives the numbers of sequences to play, undefined when there are no more. */
export async function explore(explorer: Explorer, next: () => number | undefined): Promise<void> {
  for (;;) {
    const numbers: number[] = [];
    const take = (): number | undefined => {
      if (numbers.length >= PER_GUEST || explorer.isOver('sequence')) return undefined;
      const number = next();
      if (number !== undefined) numbers.push(number);
      return number;
    };
    const first = take();
    if (first === undefined) return;
    const failure = await inGuest(explorer.settings, (lab) => playMany(explorer, lab, first, take));
    if (failure !== undefined) await lookInto(explorer, numbers, failure);
  }
}

/** It was found, whatever becomes of the looking. */
async function lookInto(explorer: Explorer, numbers: readonly number[], failure: Error): Promise<void> {
  const startedMs = performance.now();
  try {
    explorer.tell.foundOne(await investigate(explorer, numbers, failure));
  } catch (error) {
    const [number, before] = [numbers.at(-1) as number, numbers.slice(0, -1)];
    explorer.tell.foundOne({ number, message: failure.message, before, shrinkMs: performance.now() - startedMs });
    throw error;
  }
}

/** Undefined when all went well. Throws what is no fault of the product. */
async function inGuest(settings: SuiteSettings, work: (lab: Lab) => Promise<void>, isLookedOver = true): Promise<Error | undefined> {
  const lab = await openLab(settings, explorerLab);
  try {
    await work(lab);
    if (isLookedOver) await lab.finish();
    return undefined;
  } catch (error) {
    if (error instanceof Error && 'blame' in error && error.blame === 'product') return error;
    throw error;
  } finally {
    await lab.guest.close();
  }
}

async function playMany({ coverage, steps, tell }: Explorer, lab: Lab, first: number, take: () => number | undefined): Promise<void> {
  const stage = await setStage(lab);
  for (let number: number | undefined = first; number !== undefined; number = take()) {
    await play(stage, generate(number, steps), coverage);
    tell.sequence();
  }
  await clearStage(stage);
}

async function investigate(explorer: Explorer, numbers: readonly number[], failure: Error): Promise<Found> {
  const startedMs = performance.now();
  const { settings, tell } = explorer;
  const alone = (sequence: Sequence) => inGuest(settings, (lab) => playAlone(() => Promise.resolve(lab), sequence), !(failure instanceof MismatchError));
  // What a step shows is the last sequence's; what is left behind may be anyone's.
  const suspects = failure instanceof MismatchError ? numbers.slice(-1) : [...numbers].reverse();
  const last = numbers.at(-1) as number;
  tell.failed(last, failure.message);
  for (const number of suspects) {
    const sequence = generate(number, explorer.steps);
    for (let repeat = 0; repeat < (suspects.length === 1 ? REPEATS : 1) && !explorer.isOver('shrink'); repeat++) {
      const again = await alone(sequence);
      if (again === undefined) continue;
      let { message } = again;
      const played = again instanceof MismatchError ? again.played : sequence.steps.length;
      const { sequence: shortest, attempts } = await shrink(sequence, played, async (candidate) => {
        const failed = await alone(candidate);
        message = failed?.message ?? message;
        tell.attempt(candidate.steps.length, failed !== undefined);
        return failed !== undefined;
      }, () => explorer.isOver('shrink'));
      return { number, message: failure.message, shrunk: { sequence: shortest, message, attempts }, before: [], shrinkMs: performance.now() - startedMs };
    }
  }
  return { number: last, message: failure.message, before: numbers.slice(0, -1), shrinkMs: performance.now() - startedMs };
}
