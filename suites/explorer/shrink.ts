/** Makes a failing sequence as short and as plain as it can: drops steps, then makes those that are left simpler.
 *  Every attempt is played; what still fails is kept. Pure but for the attempts. */
import { DEVICE_SECTORS, DEVICES, SLOTS, type Range, type Sequence, type Step } from './steps.js';

/** True: it still fails. */
export type Fails = (sequence: Sequence) => Promise<boolean>;

export interface Shrunk {
  readonly sequence: Sequence;
  readonly attempts: number;
}

/** `played`: steps up to the one that failed. `isOver`: no further attempt is to begin. */
export async function shrink(sequence: Sequence, played: number, fails: Fails, isOver: () => boolean = () => false): Promise<Shrunk> {
  let best: Sequence = sequence;
  let attempts = 0;
  const seen = new Set<string>([JSON.stringify(sequence)]);
  const accept = async (steps: readonly Step[]): Promise<boolean> => {
    const candidate = { params: best.params, steps };
    const key = JSON.stringify(candidate);
    if (seen.has(key) || isOver()) return false;
    seen.add(key);
    attempts += 1;
    if (!await fails(candidate)) return false;
    best = candidate;
    return true;
  };
  await accept(best.steps.slice(0, played));
  await accept(best.steps.filter(({ do: kind }) => !idleKinds.includes(kind)));
  await dropKinds(() => best.steps, accept);
  await dropSteps(() => best.steps, accept);
  await simplifySteps(() => best.steps, accept);
  await dropSteps(() => best.steps, accept);
  return { sequence: best, attempts };
}

/** Of no effect on what is in the guest. */
const idleKinds: readonly Step['do'][] = ['check', 'collect', 'map', 'event', 'image-read'];

type Accept = (steps: readonly Step[]) => Promise<boolean>;

/** All that is done to one device or snapshot, and all steps of one kind, at once: most of them do not matter. */
async function dropKinds(steps: () => readonly Step[], accept: Accept): Promise<void> {
  const groups: ((step: Step) => boolean)[] = [
    ...Array.from({ length: DEVICES }, (_, dev) => (step: Step) => 'dev' in step && step.dev === dev),
    ...Array.from({ length: SLOTS }, (_, slot) => (step: Step) => 'slot' in step && step.slot === slot),
    ...[...new Set(steps().map(({ do: kind }) => kind))].map((kind) => (step: Step) => step.do === kind),
  ];
  for (const isOfGroup of groups) await accept(steps().filter((step) => !isOfGroup(step)));
}

/** Halves, quarters, ... single steps, from the end, until no single one can go. */
async function dropSteps(steps: () => readonly Step[], accept: Accept): Promise<void> {
  for (let size = Math.ceil(steps().length / 2); size >= 1;) {
    let hasDropped = false;
    for (let end = steps().length; end > 0; end -= size) {
      const from = Math.max(0, end - size);
      if (await accept([...steps().slice(0, from), ...steps().slice(end)])) hasDropped = true;
    }
    if (size === 1 && !hasDropped) return;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
}

async function simplifySteps(steps: () => readonly Step[], accept: Accept): Promise<void> {
  for (let index = 0; index < steps().length; index++) {
    for (let isSimpler = true; isSimpler;) {
      isSimpler = false;
      for (const simpler of simplerOnes(steps()[index] as Step)) {
        if (!await accept([...steps().slice(0, index), ...simpler, ...steps().slice(index + 1)])) continue;
        isSimpler = simpler.length === 1;
        break;
      }
    }
  }
}

/** What a step may be replaced by, the simplest first; each is nearer to an end, so that this comes to one. */
export function simplerOnes(step: Step): (readonly Step[])[] {
  switch (step.do) {
    case 'write':
    case 'image-read':
      return [...ranges(step).map((range) => [{ ...step, ...range }]), ...(step.mode === 'buffered' ? [[{ ...step, mode: 'direct' } as const]] : [])];
    case 'zero':
    case 'discard':
      return [[{ do: 'write', dev: step.dev, at: step.at, count: step.count, mode: 'direct' }], ...ranges(step).map((range) => [{ ...step, ...range }])];
    case 'image-write': return ranges(step).map((range) => [{ ...step, ...range }]);
    case 'threads': return [[...step.ops], ...step.ops.map((_, index) => [{ ...step, ops: step.ops.toSpliced(index, 1) }])];
    case 'mark': {
      if (step.ranges.length > 1) return step.ranges.map((_, index) => [{ ...step, ranges: step.ranges.toSpliced(index, 1) }]);
      return step.ranges.flatMap((range) => ranges(range).map((simpler) => [{ ...step, ranges: [simpler] }]));
    }
    case 'create':
      return [
        ...(step.storage === 'block' ? [] : [[{ ...step, storage: 'block' } as const]]),
        ...(step.limit === 12_288 ? [] : [[{ ...step, limit: 12_288 }]]),
      ];
    case 'resize': return step.size === 1 ? [] : [[{ ...step, size: 1 }]];
    case 'rounds': return step.count === 1 ? [] : [[{ ...step, count: 1 }], [{ ...step, count: Math.floor(step.count / 2) }]];
    case 'map': return step.offset === 0 ? [] : [[{ ...step, offset: 0 }]];
    case 'attach': case 'detach': case 'add': case 'take': case 'destroy': case 'event': case 'collect': case 'remove': case 'return':
    case 'reload': case 'check':
      return [];
  }
}

function ranges({ at, count }: Range): Range[] {
  const size = DEVICE_SECTORS[0] as number;
  return [
    ...(count > size - at && at < size && count !== size - at ? [{ at, count: size - at }] : []),
    ...(count > 1 ? [{ at, count: 1 }] : []),
    ...(count > 2 ? [{ at, count: Math.floor(count / 2) }] : []),
    ...(at > 0 ? [{ at: 0, count }] : []),
  ];
}
