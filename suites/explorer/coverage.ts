/** Which states sequences have been in, and by which steps they went from one to another. Pure. */
import type { Area, Device, Model } from './model.js';
import { errnoName, type Step } from './steps.js';

export type Where = readonly string[];

/** A state for each device. */
export function coverageOf(model: Model): Where {
  return model.devices.map((device) => stateOf(model, device));
}

function stateOf(model: Model, device: Device): string {
  if (!device.exists) return 'gone';
  const { tracking, area } = device;
  if (tracking === undefined) return 'plain';
  const resized = tracking.isStale ? ', resized' : '';
  if (area === undefined) return `tracked${resized}`;
  if (area.image === undefined) return `added${resized}`;
  if (area.error !== 0) return `lost by ${errnoName(area.error)}${resized}`;
  return `${heldState(model, area)}${resized}`;
}

function heldState(model: Model, area: Area): string {
  const copied = area.stored.size === 0 ? 'nothing copied' : 'copied in part';
  const storage = model.snapshot(area.slot)?.storage;
  return storage !== undefined && storage.usedMost >= storage.capacity ? 'held, storage full' : `held, ${copied}`;
}

export interface CoverageNumbers {
  readonly states: Readonly<Record<string, number>>;
  readonly steps: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly transitions: Readonly<Record<string, number>>;
}

export class Coverage {
  readonly #states = new Map<string, number>();
  readonly #steps = new Map<string, Map<string, number>>();
  readonly #transitions = new Map<string, number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** A step was played; no errno when there was nothing that it could be done to. */
  note(before: Where, step: Step, errno: number | undefined, after: Where): void {
    this.#count += 1;
    const outcomes = this.#steps.get(step.do) ?? new Map<string, number>();
    this.#steps.set(step.do, outcomes);
    increase(outcomes, errno === undefined ? 'nothing there' : errnoName(errno));
    after.forEach((state, index) => {
      increase(this.#states, state);
      const old = before[index] as string;
      if (old !== state) increase(this.#transitions, `${old} -- ${step.do} --> ${state}`);
    });
  }

  numbers(): CoverageNumbers {
    return {
      states: sorted(this.#states), transitions: sorted(this.#transitions),
      steps: Object.fromEntries([...this.#steps].sort(byName).map(([name, outcomes]) => [name, sorted(outcomes)])),
    };
  }

  table(): string[] {
    const { states, steps, transitions } = this.numbers();
    return [
      ...block('states of a device, after how many steps', states), '',
      ...block('steps, and what came of them', Object.fromEntries(Object.entries(steps).map(([name, outcomes]) =>
        [name, Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`).join(', ')]))), '',
      ...block(`transitions, ${Object.keys(transitions).length} different`, transitions),
    ];
  }
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

function increase(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function sorted(map: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...map].sort(byName));
}

function block(title: string, rows: Readonly<Record<string, number | string>>): string[] {
  const width = Math.max(0, ...Object.keys(rows).map(({ length }) => length));
  return [`${title}:`, ...Object.entries(rows).map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)];
}
