/** What is stuck, and what is done meanwhile: each pair is a cell of the grid.
 *  A phase begins something that a disk does not answer; another thing begins; then the disk answers, and all must end. */
import type { FaultLog } from '../../vm/index.js';
import {
  aio, CHUNK, expect, faultDisks, mountExt4, patched,
  ToolError, type Device, type Lab, type LabOptions, type Sectors,
} from '../fixtures/index.js';
import { DIR, type Meanwhile } from './stalled-meanwhiles.js';
import { at, type Cell, type Phase } from './stalled-phases.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
/** Of the original's file system, before the chunks. */
const FS_SIZE = '24M';
const FILLED = 16;
const PIECE = { offset: at(2), length: 4 * CHUNK };
const STORAGE_DIR = '/mnt/storage';
const PORTION = 2 * MIB;

type MakeLab = (options?: LabOptions) => Promise<Lab>;

async function makeCell(lab: MakeLab, phase: Phase, meanwhile: Meanwhile): Promise<Cell> {
  const l = await lab({ disks: Object.values(faultDisks), params: phase.storage === 'file' ? { diff_storage_minimum: PORTION / SECTOR } : {} });
  await l.sh('for d; do echo 2 > "/sys/block/$d/queue/nomerges"; done', ...Object.values(faultDisks).map(({ name }) => l.disk(name).name));
  const [data, second] = [l.disk('data'), l.disk('second')];
  if (meanwhile.mounts) {
    await mountExt4(l, data, DIR, ['-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0'], FS_SIZE);
    await l.sh('sync -f "$1"', DIR);
  }
  let storage = l.disk('store').path;
  if (phase.storage === 'file') {
    await l.sh('mkfs.xfs -q -f "$1"; mkdir -p "$2"; mount -o wsync "$1" "$2"', l.disk('large').path, STORAGE_DIR);
    l.defer(() => l.sh('umount "$1"', STORAGE_DIR));
    storage = `${STORAGE_DIR}/diff`;
  }
  for (const device of [data, second]) {
    await device.fill(1, { offset: at(0), length: FILLED * CHUNK });
    await l.attach(device);
  }
  const snapshot = await l.createSnapshot({ storage, ...(phase.storage === 'file' ? { limit: '8M' } : {}) });
  await snapshot.add(data, second);
  if (phase.isTaken) await snapshot.take();
  const image = phase.isTaken ? await snapshot.image(data) : undefined;
  return { l, data, second, snapshot, image: async () => image ?? snapshot.image(data) };
}

/** Returns whether there was anything to get stuck. */
export async function fillCell(lab: MakeLab, phase: Phase, meanwhile: Meanwhile, faults: FaultLog): Promise<boolean> {
  const cell = await makeCell(lab, phase, meanwhile);
  const { data, second } = cell;
  const frozen = await data.sectorsAt(PIECE.offset, PIECE.length);
  const stall = await phase.begin(cell);
  if (!stall) return false;

  const begun = await meanwhile.begin(cell, stall, phase);
  // Who writes to another device waits for that alone, unless there is no space to store what was there.
  if (!meanwhile.removes && phase.isTaken && phase.storage !== 'file') expect(await aio(second, [{ offset: at(9), length: 4096 }])).toEqual([4096]);
  stall.hold.release();
  const answer = await begun.end();
  await stall.end();

  await lookAt(cell, phase, meanwhile, frozen);
  const verdict = `${begun.isWaiting ? 'waited' : 'ended meanwhile'}: ${answer}; all ended, the image right`;
  faults.record({ kind: 'stall', operation: phase.name, point: meanwhile.what, hit: stall.hit, verdict });
  return true;
}

/** What is written while take waits may be from before the cut: take need not have come to that. Then all of it is in the image. */
async function orWith(written: Meanwhile['writes'], frozen: Sectors, image: Device): Promise<Sectors> {
  if (!written || (await image.read(written.offset, 512))[0] !== written.byte) return frozen;
  return patched(frozen, written.offset - PIECE.offset, Buffer.alloc(written.length, written.byte));
}

/** Each image that is there is right, and so is the next. That of a device without its filter fails. */
async function lookAt(cell: Cell, phase: Phase, meanwhile: Meanwhile, frozen: Sectors): Promise<void> {
  const { l, data, second, snapshot } = cell;
  const isAttached = await l.isAttached(data);
  if (!phase.destroys) {
    if (isAttached) {
      expect(await data.snapshotInfo()).toMatchObject({ error: 0 });
      const image = await cell.image();
      const atCut = phase.isTaken ? frozen : await orWith(meanwhile.writes, frozen, image);
      await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(atCut);
    } else if (phase.isTaken) {
      await expect((await cell.image()).read(at(5), 4096)).rejects.toThrow(ToolError);
    }
    if (!meanwhile.removes && (isAttached || phase.isTaken)) await expect(await (await snapshot.image(second)).sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(frozen);
    await snapshot.destroy();
  }
  if (!isAttached) await l.attach(data);
  const now = await data.sectorsAt(PIECE.offset, PIECE.length);
  const next = await l.takeSnapshot(data, { storage: '/tmp', limit: '4M' });
  const image = await next.image(data);
  expect(await aio(data, [{ offset: at(4), length: CHUNK, byte: 0x43 }])).toEqual([CHUNK]);
  await expect(await image.sectorsAt(PIECE.offset, PIECE.length)).toHoldSectorsOf(now);
  await next.destroy();
}

/** Each phase and each thing at least once; the rest is for when it is asked for. */
export function isQuick(phase: number, meanwhile: number): boolean {
  return phase === meanwhile;
}
