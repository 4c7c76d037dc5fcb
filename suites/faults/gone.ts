/** What goes, and when: each thing in each phase is a cell of the grid.
 *  A phase begins something that a disk holds back, and tells how it ends. Then the thing is let go, which may wait for what is
 *  held; the disk lets that go, all must end, and what remains must be right. */
import type { FaultLog } from '../../vm/index.js';
import {
  aio, CHUNK, eventually, expect, faultDisks, numbersOf, untilModuleReferences, type Device, type Sectors, type Snapshot,
} from '../fixtures/index.js';
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
  let image: Device | undefined;
  return { l, original, beside, storage, snapshot, users: [], image: async () => image ??= await snapshot.image(original.device) };
}

export async function fillCell(lab: MakeLab, phase: Phase, thing: Thing, faults: FaultLog): Promise<void> {
  const cell = await makeCell(lab, phase, thing);
  const { l, original, beside, snapshot } = cell;
  const numbers = await numbersOf(l, original.device);
  const frozen = await beside.sectorsAt(PIECE.offset, PIECE.length);
  const underWay = await phase.begin(cell);
  const image = await cell.image();
  const besideImage = await snapshot.image(beside).catch(() => undefined);

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
  if (!phase.destroys) verdict.push(await lookAtHold(cell, thing, { image, besideImage, frozen, numbers }));
  await lookAtEnd(cell, thing);
  faults.record({ kind: 'removal', operation: phase.name, point: thing.what, hit: underWay.hit, verdict: verdict.join('; ') });
}

interface Seen {
  readonly image: Device;
  readonly besideImage: Device | undefined;
  readonly frozen: Sectors;
  readonly numbers: { major: number; minor: number };
}

/** What the thing has cost: its own image, if that, and of the others nothing but what lay on the storage. */
async function lookAtHold({ l, original, beside, snapshot }: Cell, thing: Thing, { image, besideImage, frozen, numbers }: Seen): Promise<string> {
  const isGone = thing.takes.includes('original');
  const hasStorage = !thing.takes.includes('storage');
  if (isGone) await eventually(`the end of the filter of ${original.device.path}`, () => l.isAttached(original.device), (seen) => !seen);

  // The device that stays is written, so that it needs the storage.
  expect(await aio(beside, [{ offset: CHUNK_AT, length: CHUNK, byte: 0x42 }])).toEqual([CHUNK]);
  expect((await beside.read(CHUNK_AT, CHUNK)).equals(Buffer.alloc(CHUNK, 0x42))).toBe(true);
  const besideIsRight = async (): Promise<void> => {
    expect(await beside.snapshotInfo()).toMatchObject({ error: 0 });
    await expect(await (besideImage ?? await snapshot.image(beside)).sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
  };
  if (!hasStorage) {
    // So that it needs the storage, too.
    if (!isGone) expect(await aio(original.device, [{ offset: SPARE, length: 4096 }])).toEqual([4096]);
    const events = await eventsOf(snapshot, 2);
    for (const { error_name } of events) expect(['EIO', 'ENODEV', 'ENXIO', 'EROFS', 'ENOSPC']).toContain(error_name);
    for (const lost of [image, besideImage ?? await snapshot.image(beside)]) await expect(lost.read(CHUNK_AT, 4096)).rejects.toMatchObject({ errno: 'EIO' });
  } else if (isGone || thing.fails) {
    if (!isGone) expect(await aio(original.device, [{ offset: SPARE, length: 4096 }])).toEqual(['EIO']);
    const [event] = await eventsOf(snapshot, 1);
    expect(event).toMatchObject({ event: 'corrupted', ...numbers });
    expect(isGone ? ['ENODEV', 'EIO'] : ['EIO']).toContain(event?.error_name);
    await expect(image.read(CHUNK_AT, 4096)).rejects.toMatchObject({ errno: 'EIO' });
    await besideIsRight();
  } else {
    // Both were filled alike. In the last chunk of the piece nothing was written before the cut.
    const last = { what: frozen.what, sums: frozen.sums.slice(-CHUNK / SECTOR) };
    await expect(await image.sectorsAt(PIECE.offset + PIECE.length - CHUNK, CHUNK)).toHoldSectorsOf(last);
    await besideIsRight();
  }
  await expect(snapshot.waitEvent(0)).rejects.toMatchObject({ errno: 'ENOENT' });
  await snapshot.destroy();
  return `its image ${isGone || thing.fails || !hasStorage ? 'EIO' : 'right'}, the other's ${hasStorage ? 'right' : 'EIO'}`;
}

async function eventsOf(snapshot: Snapshot, count: number) {
  const events = [];
  while (events.length < count) events.push(await snapshot.waitEvent());
  return events;
}

/** Nothing is left of the snapshot, and the device that stays can be in the next one. */
async function lookAtEnd({ l, original, beside }: Cell, thing: Thing): Promise<void> {
  if (thing.takes.includes('original')) {
    await eventually(`the end of the filter of ${original.device.path}`, () => l.isAttached(original.device), (seen) => !seen);
    await untilModuleReferences(l, 1);
  }
  expect(await l.sh('ls /dev | grep blksnap-image || true')).toBe('');
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
