/** Random sequences from a seed: mostly steps that make sense where they stand, and now and then any step. Pure. */
import { rng, type Rng } from '../oracle/rng.js';
import type { Names } from './calls.js';
import { Model } from './model.js';
import { perform } from './perform.js';
import {
  DEVICES, IMAGE_WRITE_MAX, PARTITION, PARTITION_MAX, SECTOR, SLOTS,
  type CreateStep, type ImageReadStep, type Params, type Range, type Sequence, type Step, type WriteMode, type WriteStep,
} from './steps.js';

const nobody: Names = { devices: [], store: '', folder: '', module: '' };
const THREADS = [2, 2, 3, 4, 6, 8];

export function generate(seed: number, length: number): Sequence {
  const random = rng(seed);
  const params: Params = {
    chunkShift: random.pick([12, 12, 13, 14, 14, 15]), blockShift: random.pick([12, 12, 13, 14]), portion: random.pick([16, 64, 64, 256, 4096]),
  };
  const model = new Model(params);
  const maker = new Maker(random, model);
  const steps: Step[] = [];
  while (steps.length < length) {
    const step = maker.next();
    perform(model, nobody, step);
    steps.push(step);
  }
  return { params, steps };
}

type Choice = readonly [weight: number, make: () => Step];

class Maker {
  readonly #random: Rng;
  readonly #model: Model;
  readonly #chunk: number;
  /** Each sequence has things that it does more often than others do: so that some go through many snapshots, some copy much. */
  readonly #moods: readonly number[];

  constructor(random: Rng, model: Model) {
    this.#random = random;
    this.#model = model;
    this.#moods = Array.from({ length: 40 }, () => random.pick([3, 10, 10, 30]));
    this.#chunk = 2 ** model.params.chunkShift / SECTOR;
  }

  next(): Step {
    const choices = this.#one(30) ? this.#anything() : this.#sensible().map(([weight, make], index): Choice => [weight * (this.#moods[index] ?? 1), make]);
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.#random.below(total);
    for (const [weight, make] of choices) {
      at -= weight;
      if (at < 0) return make();
    }
    return { do: 'check' };
  }

  /** Weights by what there is now. */
  #sensible(): Choice[] {
    const { devices, snapshots } = this.#model;
    const present = devices.filter(({ exists }) => exists);
    const plain = present.filter(({ tracking }) => tracking === undefined);
    const free = present.filter(({ tracking, area }) => tracking !== undefined && area === undefined);
    const open = snapshots.filter(({ isTaken }) => !isTaken);
    const ready = open.filter(({ areas }) => areas.length > 0 && areas.every(({ error }) => error === 0));
    const taken = snapshots.filter(({ isTaken }) => isTaken);
    const lost = snapshots.filter(({ areas }) => areas.length > 0 && areas.every(({ error }) => error !== 0));
    const told = snapshots.filter(({ events }) => events.length > 0);
    const images = taken.flatMap(({ slot, areas }) => areas.map(({ device }) => ({ slot, dev: device.index })));
    const pick = <T>(items: readonly T[]): T => this.#random.pick(items);
    const image = () => pick(images);
    const when = (weight: number, is: boolean, make: () => Step): Choice => [is ? weight : 0, make];
    const partition = devices[PARTITION]?.exists === true;
    return [
      when(70, plain.length > 0, () => ({ do: 'attach', dev: pick(plain).index })),
      when(90, free.length > 0 && open.length === 0 && snapshots.length < SLOTS, () => this.#create()),
      when(90, free.length > 0 && open.length > 0, () => ({ do: 'add', slot: pick(open).slot, dev: pick(free).index })),
      when(80, ready.length > 0, () => ({ do: 'take', slot: pick(ready).slot })),
      when(4, open.length > 0, () => ({ do: 'take', slot: pick(open).slot })),
      when(40, taken.length > 0, () => ({ do: 'destroy', slot: pick(taken).slot })),
      when(40, lost.length > 0, () => ({ do: 'destroy', slot: pick(lost).slot })),
      when(20, told.length > 0, () => ({ do: 'event', slot: pick(told).slot })),
      when(80, true, () => this.#write()),
      when(8, true, () => ({ do: 'zero', dev: this.#dev(), ...this.#range() })),
      when(12, true, () => ({ do: 'discard', dev: this.#dev(), ...this.#range() })),
      when(30, true, () => ({ do: 'threads', ops: this.#ops(images) })),
      when(25, images.length > 0, () => ({ do: 'image-read', ...image(), ...this.#range(), mode: this.#mode() })),
      when(35, images.length > 0, () => ({ do: 'image-write', ...image(), ...this.#range(IMAGE_WRITE_MAX) })),
      when(14, true, () => ({ do: 'mark', dev: this.#dev(), ranges: this.#ranges() })),
      when(6, true, () => ({ do: 'map', dev: this.#dev(), offset: this.#random.below(300), length: this.#random.below(300) })),
      when(3, free.length > 0, () => ({ do: 'detach', dev: pick(free).index })),
      when(5, partition, () => ({ do: 'remove' })),
      when(60, !partition, () => ({ do: 'return' })),
      when(8, partition, () => ({ do: 'resize', size: 1 + this.#random.below(PARTITION_MAX) })),
      when(2, free.length > 0, () => ({ do: 'rounds', dev: pick(free).index, count: this.#one(20) ? 250 + this.#random.below(10) : 1 + this.#random.below(5) })),
      when(4, true, () => ({ do: 'collect', room: this.#random.below(4) })),
      when(20, true, () => ({ do: 'check' })),
      when(this.#model.isHeld ? 1 : 10, true, () => ({ do: 'reload' })),
    ];
  }

  /** Whatever comes, whether or not it can be done. */
  #anything(): Choice[] {
    const slot = () => this.#random.below(SLOTS);
    const dev = () => this.#random.below(DEVICES);
    return ([
      () => ({ do: 'attach', dev: dev() }), () => ({ do: 'detach', dev: dev() }), () => ({ do: 'add', slot: slot(), dev: dev() }),
      () => ({ do: 'take', slot: slot() }), () => ({ do: 'destroy', slot: slot() }), () => ({ do: 'event', slot: slot() }),
      () => ({ do: 'collect', room: this.#random.below(6) }), () => this.#create(), () => ({ do: 'remove' }), () => ({ do: 'return' }),
      () => ({ do: 'reload' }), () => ({ do: 'resize', size: 1 + this.#random.below(PARTITION_MAX) }),
      () => ({ do: 'mark', dev: dev(), ranges: [...this.#ranges(), { at: this.#random.below(6000), count: this.#random.below(3000) }] }),
      () => ({ do: 'map', dev: dev(), offset: this.#random.below(5000), length: this.#random.below(5000) }),
    ] satisfies (() => Step)[]).map((make): Choice => [1, make]);
  }

  #create(): CreateStep {
    const chunks = this.#random.pick([1, 2, 3, 5, 8, 12, 20, 40]);
    const limit = this.#one(40) ? 0 : this.#one(3) ? 12_288 : chunks * Math.max(8, this.#chunk) + this.#random.pick([0, 0, 8, 9]);
    return {
      do: 'create', slot: this.#one(10) ? this.#random.below(SLOTS) : this.#freeSlot(), storage: this.#random.pick(['block', 'block', 'tmpfs', 'ext4']), limit,
      room: this.#random.pick([8, 64, 128, 512, 6144]),
    };
  }

  #freeSlot(): number {
    const free = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => this.#model.snapshot(slot) === undefined);
    return free.length === 0 ? 0 : this.#random.pick(free);
  }

  #write(): WriteStep {
    return { do: 'write', dev: this.#dev(), ...this.#range(), mode: this.#mode() };
  }

  #ops(images: readonly { slot: number; dev: number }[]): (WriteStep | ImageReadStep)[] {
    const near = this.#range();
    return Array.from({ length: this.#random.pick(THREADS) }, () => {
      // Some at the same place, so that they meet.
      const range = this.#one(2) ? { at: near.at, count: Math.min(near.count, 64) } : this.#range(64);
      if (images.length > 0 && this.#one(3)) return { do: 'image-read', ...this.#random.pick(images), ...range, mode: this.#mode() };
      return { do: 'write', dev: this.#dev(), ...range, mode: this.#mode() };
    });
  }

  #ranges(): Range[] {
    return Array.from({ length: 1 + this.#random.below(3) }, () => this.#range(200));
  }

  /** Begins at borders of chunks, beside them, or anywhere; the end of the device has a share. */
  #range(most = 4096): Range {
    const chunk = this.#chunk;
    const size = this.#model.devices[0]?.size as number;
    const chunks = Math.ceil(size / chunk);
    const border = this.#random.below(this.#one(2) ? Math.min(chunks, 6) : chunks) * chunk;
    const at = Math.max(0, this.#random.pick([border, border, border - 1, border + 1, border + this.#random.below(chunk), size - 1 - this.#random.below(9)]));
    const count = this.#random.pick([1, 1, 2, 3, 8, chunk - 1, chunk, chunk, chunk + 1, 2 * chunk, 3 * chunk + 1, this.#one(6) ? size : 5 * chunk]);
    return { at, count: Math.max(1, Math.min(count, most)) };
  }

  #mode(): WriteMode {
    return this.#one(3) ? 'buffered' : 'direct';
  }

  #dev(): number {
    return this.#random.pick([0, 0, 1, 2, 2]);
  }

  /** One time in so many. */
  #one(many: number): boolean {
    return this.#random.below(many) === 0;
  }
}
