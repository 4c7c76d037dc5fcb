/** What goes, and when: each thing in each phase is a cell of the grid.
 *  A phase begins something that a disk holds back, and tells how it ends. Then the thing is let go, which may wait for what is
 *  held; the disk lets that go, all must end, and what remains must be right. */
import type { FaultLog } from '../../vm/index.js';
import { aio, CHUNK, eventually, expect, faultDisks, imagesOf, numbersOf, ToolError, type Sectors, type Snapshot } from '../fixtures/index.js';
import {
  CHUNK_AT, FILLED, PIECE, SECTOR, SIGKILL, SPARE, pulled, type Cell, type MakeLab, type Removal, type Storage, type Thing,
} from './gone-things.js';
import { phases, type Phase } from './gone-phases.js';

async function makeCell(lab: MakeLab, phase: Phase, thing: Thing): Promise<Cell> {
  const l = await lab({ disks: Object.values(faultDisks) });
  await l.sh('for d; do echo 2 > "/sys/block/$d/queue/nomerges"; done', ...Object.values(faultDisks).map(({ name }) => l.disk(name).name));
  const original = await (thing.original ?? pulled)(l);
  const storage = await (thing.storage ?? ((): Promise<Storage> => Promise.resolve({ path: l.disk('store').path, disk: 'store' })))(l);
  const beside = l.disk('second');
  for (const device of [original.device, beside]) {
    await device.fill(1, { offset: 0, length: FILLED });
    await l.attach(device);
  }
  const snapshot = await l.createSnapshot({ storage: storage.path, ...(storage.limit ? { limit: storage.limit } : {}) });
  await snapshot.add(original.device, beside);
  if (phase.isTaken) await snapshot.take();
  const image = phase.isTaken ? await snapshot.image(original.device) : undefined;
  return { l, original, beside, storage, snapshot, users: [], image: async () => image ?? snapshot.image(original.device) };
}

/** Returns whether there was anything to hold. */
export async function fillCell(lab: MakeLab, phase: Phase, thing: Thing, faults: FaultLog): Promise<boolean> {
  const cell = await makeCell(lab, phase, thing);
  const { l, original, beside } = cell;
  const numbers = await numbersOf(l, original.device);
  const frozen = await beside.sectorsAt(PIECE.offset, PIECE.length);
  const underWay = await phase.begin(cell);
  if (!underWay) return false;

  const removals: Removal[] = [];
  for (const begin of thing.begin) removals.push(await begin(cell));
  for (const hold of underWay.holds) hold.release();

  const how = await underWay.end();
  // Whoever uses the image may be what the device waits for.
  for (const { command } of cell.users) await command.kill(SIGKILL);
  const ways: string[] = [];
  for (const removal of removals) ways.push(`${removal.how}, ${await removal.end()}`);
  if (thing.takes.includes('original') && ways.some((way) => way.includes('refused'))) {
    for (const begin of thing.begin) expect(await (await begin(cell)).end(), 'free, it goes').toBe('went');
  }

  const verdict = [...ways, how];
  if (!phase.destroys) verdict.push(await lookAtHold(cell, thing, { frozen, numbers }));
  await lookAtEnd(cell, thing);
  faults.record({ kind: 'removal', operation: phase.name, point: thing.what, hit: underWay.hit, verdict: verdict.join('; ') });
  return true;
}

interface Numbers {
  readonly major: number;
  readonly minor: number;
}

interface Seen {
  readonly frozen: Sectors;
  readonly numbers: Numbers;
}

/** What the thing has cost: its own image, if that, and of the others nothing but what lay on the storage. */
async function lookAtHold(cell: Cell, thing: Thing, { frozen, numbers }: Seen): Promise<string> {
  const { l, original, beside, snapshot } = cell;
  const isGone = thing.takes.includes('original');
  const hasStorage = !thing.takes.includes('storage');
  if (isGone) await eventually(`the end of the filter of ${original.device.path}`, () => l.isAttached(original.device), (seen) => !seen);
  const { image: besideName } = await beside.snapshotInfo();
  if (besideName === null) {
    expect(isGone, 'a take fails if a device has gone').toBe(true);
    await snapshot.destroy();
    return 'not taken';
  }
  const besideImage = l.device(`/dev/${besideName}`);

  // The device that stays is written, so that it needs the storage.
  expect(await aio(beside, [{ offset: CHUNK_AT, length: CHUNK, byte: 0x42 }])).toEqual([CHUNK]);
  expect((await beside.read(CHUNK_AT, CHUNK)).equals(Buffer.alloc(CHUNK, 0x42))).toBe(true);
  // So that it needs the storage, too.
  if (!isGone && (thing.fails || !hasStorage)) expect(await aio(original.device, [{ offset: SPARE, length: 4096 }])).toEqual([thing.fails ? 'EIO' : 4096]);
  if (!hasStorage) await l.sh('sync');

  // Of a device that has gone there may be an event.
  const besideNumbers = await numbersOf(l, beside);
  const must = [...(!isGone && (thing.fails || !hasStorage) ? [numbers] : []), ...(hasStorage ? [] : [besideNumbers])];
  const events = await eventsOf(snapshot, must);
  for (const { event, error_name, major, minor } of events) {
    expect(event).toBe('corrupted');
    expect([...must, ...(isGone ? [numbers] : [])]).toContainEqual({ major, minor });
    expect(hasStorage ? (isGone ? ['ENODEV', 'EIO', 'ENXIO'] : ['EIO']) : ['EIO', 'ENODEV', 'ENXIO', 'EROFS', 'ENOSPC']).toContain(error_name);
  }
  expect(new Set(events.map(({ major, minor }) => `${major}:${minor}`)).size, 'each device is told of once').toBe(events.length);

  if (isGone) {
    // It may have gone with its device, which nobody can ask for it any more: it is what is not the other's.
    const image = await cell.image().catch(async () => (await imagesOf(l)).filter((name) => name !== besideName).map((name) => l.device(`/dev/${name}`))[0]);
    if (image) await expect(image.read(CHUNK_AT, 4096)).rejects.toThrow(ToolError);
  } else if (thing.fails || !hasStorage) {
    await expect((await cell.image()).read(CHUNK_AT, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  } else {
    // Both were filled alike. In the last chunk of the piece nothing was written before the cut.
    const last = { what: frozen.what, sums: frozen.sums.slice(-CHUNK / SECTOR) };
    await expect(await (await cell.image()).sectorsAt(PIECE.offset + PIECE.length - CHUNK, CHUNK)).toHoldSectorsOf(last);
  }
  if (hasStorage) {
    expect(await beside.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await besideImage.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
  } else {
    await expect(besideImage.read(CHUNK_AT, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  }
  await snapshot.destroy();
  return `its image ${isGone || thing.fails || !hasStorage ? 'fails' : 'right'}, the other's ${hasStorage ? 'right' : 'EIO'}`;
}

/** The events of these devices, which must come, and those of others, which may have. */
async function eventsOf(snapshot: Snapshot, must: readonly Numbers[]) {
  const events: Awaited<ReturnType<Snapshot['waitEvent']>>[] = [];
  for (;;) {
    const isComplete = must.every((one) => events.some(({ major, minor }) => major === one.major && minor === one.minor));
    const event = await snapshot.waitEvent(isComplete ? 0 : undefined).catch((error: { errno?: string }) => {
      if (!isComplete || error.errno !== 'ENOENT') throw error as Error;
      return undefined;
    });
    if (!event) return events;
    events.push(event);
  }
}

/** Nothing is left of the snapshot, and the device that stays can be in the next one. */
async function lookAtEnd({ l, original, beside }: Cell, thing: Thing): Promise<void> {
  if (thing.takes.includes('original')) {
    await eventually(`the end of the filter of ${original.device.path}`, () => l.isAttached(original.device), (seen) => !seen);
  }
  expect(await imagesOf(l)).toEqual([]);
  const frozen = await beside.sectorsAt(PIECE.offset, PIECE.length);
  const next = await l.takeSnapshot(beside, { storage: '/tmp', limit: '4M' });
  const image = await next.image(beside);
  expect(await aio(beside, [{ offset: CHUNK_AT, length: CHUNK, byte: 0x43 }])).toEqual([CHUNK]);
  await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
  await next.destroy();
}

/** Each phase and each thing at least once; the rest is for when it is asked for. */
export function isQuick(phase: number, thing: number): boolean {
  return thing % phases.length === phase;
}
