/** The power goes while a snapshot is taken, held, overflows or is destroyed; another guest finds the device as it should be, and
 *  nothing of the snapshot. Method: the request of a disk at which it goes is counted; of what was not flushed
 *  chance keeps a part.
 *  Definitions for power.test.ts and power.long.test.ts. */
import {
  doomedGuest, expect, fileSystemKinds, imagesOf, judge, lookAtFiles, makeFileSystem, PowerSupply, Snapshot, steeredDisks, steeredLab,
  troubleOf,
  type Cut, type FaultLog, type FileSystem, type Lab, type FileWorker, type LabOptions, type Rng, type TestContext,
} from '../fixtures/index.js';
import { makeWorkers, params, setTheScene, states, type Scene, type State } from './crash.js';
import { stepsOf, workUntil } from './work.js';

const disks = Object.values(steeredDisks);
/** Of all workers, before the state changes. */
const STEPS = 8;
/** Difference storage that is not a disk: an unnamed file in this folder, on the disk `store`. */
const STORE = '/mnt/store';

export interface CutPlace {
  /** Of crash.ts. */
  readonly state: State;
  /** Whose requests are counted. */
  readonly disk: 'data' | 'store';
  /** From the change of the state on; else from the beginning of the work. */
  readonly inMidst: boolean;
  /** Chance picks one of these. */
  readonly first: number;
  readonly last: number;
}

function stateOf(what: string): State {
  return states.find((state) => state.what === what) as State;
}

export const cutPlaces: readonly CutPlace[] = [
  { state: stateOf('take'), disk: 'data', inMidst: true, first: 1, last: 12 },
  { state: stateOf('held'), disk: 'data', inMidst: false, first: 1, last: 100 },
  // The storage has room for 32 chunks, of which each write that comes to a new block takes one.
  { state: stateOf('overflow'), disk: 'data', inMidst: false, first: 20, last: 60 },
  { state: stateOf('destroy'), disk: 'data', inMidst: true, first: 1, last: 12 },
];

export interface CutRun extends TestContext {
  readonly lab: (options?: LabOptions) => Promise<Lab>;
  readonly random: Rng;
  readonly faults: FaultLog;
}

export async function cutPower(run: CutRun, kind: FileSystem, place: CutPlace, nth: number): Promise<void> {
  const { random, faults } = run;
  const doomed = await steeredLab((options) => doomedGuest(run, options ?? {}), { params });
  await makeFileSystem('ext4', doomed.guest.disk('store').hostPath);
  await doomed.sh('mkdir -p "$2"; mount "$1" "$2"', doomed.disk('store').path, STORE);
  const free = await freeBlocks(doomed);
  const scene = await setTheScene(doomed, kind, place.state, STORE);
  const power = new PowerSupply(doomed, ['data', 'store']);
  const workers = makeWorkers(doomed, () => doomed.programmable('data').moment());
  const cut = await cutAmidWork(power, scene, workers, place, nth, random);

  const l = await run.lab({ disks, prepareDisk: power.give(random) });
  const { type, options } = fileSystemKinds[kind];
  await l.sh(`mkdir -p /mnt/data; mount -t ${type} -o ${options} "$1" /mnt/data`, l.disk('data').path);
  const judgement = judge(workers.flatMap(({ deeds }) => deeds), cut.moment, await lookAtFiles(l, '/mnt/data'));
  expect(judgement.wrong, `${kind} ${place.state.what}, cut at ${cut.hit}`).toEqual([]);
  await expectNoTrace(l, free);
  await l.sh('umount /mnt/data');
  for (const [name, its] of [['data', kind], ['store', 'ext4']] as const) {
    expect(await troubleOf(its, l.guest.disk(name).hostPath), name).toBeUndefined();
  }
  faults.record({
    kind: 'crash', operation: `power cut, ${kind} ${place.state.what}`, point: `request ${nth} of ${place.disk}`, hit: cut.hit,
    verdict: `clean, ${judgement.there} of ${judgement.promised} there, no trace of the snapshot`,
  });
}

/** The workers work until there is no power. */
async function cutAmidWork(
  power: PowerSupply, scene: Scene, workers: readonly FileWorker[], { state, disk, inMidst }: CutPlace, nth: number, random: Rng,
): Promise<Cut> {
  const changes = { kind: ['write', 'flush'] } as const;
  let cut = inMidst ? undefined : power.cutAt(disk, changes, nth);
  let steps = 0;
  const change = (): Promise<void> | undefined => {
    if (inMidst) cut ??= power.cutAt(disk, changes, nth);
    return state.midst?.(scene);
  };
  let changed: Promise<void> | undefined;
  const work = workers.map((worker, at) => workUntil(worker, stepsOf(at + 1, random), () => {
    if (++steps > STEPS) changed ??= change();
    return false;
  }));
  for (const ending of await Promise.allSettled(work)) {
    if (ending.status === 'rejected' && !isDead(ending.reason)) throw ending.reason;
  }
  await changed?.catch((error: unknown) => {
    if (!isDead(error)) throw error;
  });
  return cut as Promise<Cut>;
}

const isDead = (error: unknown): boolean => error instanceof Error && error.name === 'GuestClosedError';

/** The module knows of nothing; the storage's file system, its log replayed, has the file no more; and all works as ever. */
async function expectNoTrace(l: Lab, free: string): Promise<void> {
  expect(await Snapshot.collect(l.guest)).toEqual([]);
  expect(await l.isAttached(l.disk('data'))).toBe(false);
  expect(await imagesOf(l)).toEqual([]);
  await l.sh('mkdir -p "$2"; mount "$1" "$2"', l.disk('store').path, STORE);
  expect(await freeBlocks(l)).toBe(free);
  await l.attach(l.disk('data'));
  const snapshot = await l.takeSnapshot(l.disk('data'), { storage: STORE, limit: '4M' });
  await snapshot.destroy();
  await l.disk('data').detach();
  await l.sh('umount "$1"', STORE);
}

/** Blocks and inodes that are free on the storage's file system. */
function freeBlocks(l: Lab): Promise<string> {
  return l.sh('sync; busybox stat -f -c "%f blocks, %d inodes" "$1"', STORE);
}
