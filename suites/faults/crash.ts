/** The power goes at each flush that a file system sends to its disk, in every state that the filter and a snapshot can be in.
 *  Method: two workers write, replace and remove files and wait for each promise, which gets a place in the disk's log; then
 *  the disk as it was after each flush, and as it may have been before the next one, is mounted by a guest.
 *  The quick tests look at a few of these crashes, the long ones at each. */
import {
  CrashViewer, crashesOf, expect, fileSystemKinds, FileWorker, makeFileSystem, recordCrashes, steeredLab,
  type FaultLog, type FileSystem, type Lab, type LabOptions, type Rng, type Snapshot,
} from '../fixtures/index.js';
import { stepsOf, workUntil } from './work.js';

/** Chunks of one block: each block of a file system's log has to wait for a copy of its own. */
export const params = { chunk_minimum_shift: 12, chunk_maximum_shift: 12 };
const WORKERS = 2;

export function makeWorkers(l: Lab, moment: () => number): FileWorker[] {
  return Array.from({ length: WORKERS }, () => new FileWorker(l, '/mnt/data', moment));
}

export interface Scene {
  readonly l: Lab;
  /** Of the snapshot; default the disk `store`. */
  readonly storage?: string;
  snapshot?: Snapshot;
}

export interface State {
  readonly what: string;
  /** Before the log begins. */
  readonly before: (scene: Scene) => Promise<void>;
  /** In the midst of the work. */
  readonly midst?: (scene: Scene) => Promise<void>;
}

const attach = async ({ l }: Scene): Promise<void> => l.attach(l.disk('data'));
const take = async (scene: Scene, limit = '8M'): Promise<void> => {
  scene.snapshot = await scene.l.takeSnapshot(scene.l.disk('data'), {
    limit, ...(scene.storage ? { storage: scene.storage } : {}),
  });
};
const hold = async (scene: Scene, limit?: string): Promise<void> => {
  await attach(scene);
  await take(scene, limit);
};

export const states: readonly State[] = [
  { what: 'tracking', before: attach },
  { what: 'attach', before: async () => undefined, midst: attach },
  { what: 'detach', before: attach, midst: async ({ l }) => l.disk('data').detach() },
  { what: 'take', before: attach, midst: (scene) => take(scene) },
  { what: 'held', before: (scene) => hold(scene) },
  { what: 'overflow', before: (scene) => hold(scene, '128K'), midst: async ({ snapshot }) => {
    expect(await snapshot?.waitEvent(300_000)).toMatchObject({ error_name: 'ENOSPC' });
  } },
  { what: 'destroy', before: (scene) => hold(scene), midst: async ({ snapshot }) => snapshot?.destroy() },
];

export const fileSystems = Object.keys(fileSystemKinds) as FileSystem[];

export interface CrashRun {
  readonly lab: (options?: LabOptions) => Promise<Lab>;
  readonly random: Rng;
  readonly faults: FaultLog;
}

export interface CrashOptions {
  /** Steps of all workers before the state changes, and again after it has. */
  readonly steps: number;
  /** So many crashes at most, spread evenly from a random one on. Default: all. */
  readonly most?: number;
}

/** A mounted file system in the beginning of a state, with all that was done to it flushed. */
export async function setTheScene(l: Lab, kind: FileSystem, state: State, storage?: string): Promise<Scene> {
  await makeFileSystem(kind, l.guest.disk('data').hostPath);
  const { type, options } = fileSystemKinds[kind];
  await l.sh(`mkdir -p /mnt/data; mount -t ${type} -o ${options} "$1" /mnt/data`, l.disk('data').path);
  const scene: Scene = { l, ...(storage ? { storage } : {}) };
  await state.before(scene);
  await l.sh('sync');
  return scene;
}

/** Works on files, changes the state in the midst of that, and works on. */
export async function workThrough(
  scene: Scene, state: State, workers: readonly FileWorker[], random: Rng, steps: number,
): Promise<void> {
  let changed: Promise<void> | undefined;
  let [before, after, isChanged] = [0, 0, false];
  await Promise.all(workers.map((worker, at) => workUntil(worker, stepsOf(at + 1, random), () => {
    if (isChanged) after += 1;
    else before += 1;
    if (before > steps) changed ??= (state.midst?.(scene) ?? Promise.resolve()).then(() => { isChanged = true; });
    return after > steps;
  })));
  await changed;
}

/** Spread evenly, from a random one on. */
function someOf<T>(all: readonly T[], most: number, random: Rng): readonly T[] {
  if (all.length <= most) return all;
  const first = random.below(all.length);
  return Array.from({ length: most }, (_, at) => all[(first + Math.floor(at * all.length / most)) % all.length] as T);
}

export async function crashEverywhere(
  { lab, random, faults }: CrashRun, kind: FileSystem, state: State, { steps, most = Infinity }: CrashOptions,
): Promise<void> {
  const l = await steeredLab(lab, { params });
  const scene = await setTheScene(l, kind, state);
  const [disk, store] = [l.programmable('data'), l.programmable('store')];
  store.forget();
  const { log, forget } = recordCrashes(l, 'data');
  const workers = makeWorkers(l, () => disk.moment());
  await workThrough(scene, state, workers, random, steps);
  log.end();
  for (const worker of workers) await worker.close();
  await l.sh('umount /mnt/data; sync');
  if (scene.snapshot) expect(store.requests({ kind: 'write' }), 'nothing was copied').not.toEqual([]);

  const deeds = workers.flatMap(({ deeds }) => deeds);
  const all = crashesOf(log.points(), random);
  const viewer = await CrashViewer.open(l, 'second', kind, log.basePath);
  for (const crash of someOf(all, most, random)) {
    const { promised, there, wrong } = await viewer.see(crash, deeds);
    expect(wrong, `${kind} ${state.what}, ${crash.name}`).toEqual([]);
    const verdict = `clean, ${there} of ${promised} there`;
    faults.record({ kind: 'crash', operation: `${kind} ${state.what}`, point: crash.name, hit: crash.hit, verdict });
  }
  await viewer.close();
  await forget();
}
