/** Each request that the module issues, or has a file system issue for it, and what must hold when it fails: COW-06.
 *  An operation makes its bench once; each round takes a snapshot, lets one request fail, and looks at all that is promised. */
import type { DiskRequest, FaultLog, ProgrammableDisk, RequestMatch } from '../../vm/index.js';
import { expect, failNth, type IoFailure, type NthFault, type Rng } from '../fixtures/index.js';
import { hold, makeBench, makeFileBench, overwrite, remount, type Bench, type IoOperation, type MakeLab } from './io-bench.js';
import {
  MOUNTED, readsStorage, roundOfAdd, roundOfCachedStore, roundOfCopy, roundOfCreate, roundOfDestroy, roundOfGrowth, roundOfImageWrite,
  roundOfRead, roundOfStore, roundOfTake,
} from './io-rounds.js';

const store = ({ store: disk }: Bench): ProgrammableDisk => disk;
const original = ({ disk }: Bench): ProgrammableDisk => disk;
const anyWrite: RequestMatch = { kind: ['write', 'flush', 'write-zeroes', 'discard'] };
/** Not the chunks themselves. */
const small: RequestMatch = { ...anyWrite, where: ({ sectors }) => sectors < 64 };
export const large: RequestMatch = { kind: 'write', where: ({ sectors }) => sectors >= 64 };

interface Operation extends IoOperation {
  /** A module may do it without any such request, or with fewer: `least` is then for the choice of one only. */
  readonly mayDoNone?: true;
  /** Who asks again for what has failed fails again, as long as the fault lasts. */
  readonly isLasting?: true;
}

export const operations: readonly Operation[] = [
  {
    name: 'first copy', spec: ['COW-06', 'EVT-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8, isLasting: true,
    bench: (lab) => makeBench(lab), on: original, match: { kind: 'read' },
    round: roundOfCopy,
  },
  {
    name: 'store', spec: ['COW-06', 'EVT-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8, isLasting: true,
    bench: (lab) => makeBench(lab), on: store, match: { kind: 'write' },
    round: (b, arm) => roundOfStore(b, arm),
  },
  {
    // A SCSI disk says of what went wrong that it was its space.
    name: 'store on SCSI', spec: ['COW-06', 'EVT-02'], failures: ['ENOSPC'], least: 8, isLasting: true,
    bench: (lab) => makeBench(lab, 'pulledstore'), on: store, match: { kind: 'write' },
    round: (b, arm) => roundOfStore(b, arm, 'ENOSPC'),
  },
  {
    name: 'store in a file on ext4', spec: ['COW-06', 'DIF-05'], failures: ['EIO', 'short'], least: 8, isLasting: true,
    bench: (lab) => makeFileBench(lab, 'store'), on: store, match: large,
    round: async (b, arm) => {
      await remount(b, 'ext4');
      return roundOfStore(b, arm);
    },
  },
  {
    name: 'store through the page cache', spec: ['COW-06', 'DIF-05'], failures: ['EIO', 'short'], least: 4,
    bench: async (lab) => {
      const b = await makeFileBench(lab, 'store');
      // The journal's blocks, each a bio of its own, become a few requests.
      await b.l.sh('echo 0 > "/sys/block/$1/queue/nomerges"', b.l.disk('store').name);
      return b;
    },
    on: store, match: anyWrite,
    round: roundOfCachedStore,
  },
  {
    name: 'image read from the original', spec: ['COW-06', 'IMG-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 16, isLasting: true,
    bench: (lab) => makeBench(lab), on: original, match: { kind: 'read' },
    round: async (b, arm) => roundOfRead(b, await hold(b), arm, true),
  },
  {
    name: 'image read from the storage', spec: ['COW-06', 'DIF-05', 'IMG-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8, mayDoNone: true,
    bench: (lab) => makeBench(lab), on: store, match: { kind: 'read' },
    round: async (b, arm) => {
      const held = await hold(b);
      await overwrite(b);
      if (await readsStorage(b, held)) return roundOfRead(b, held, arm, false);
      await held.snapshot.destroy();
      return 'nothing was read';
    },
  },
  {
    name: 'image write', spec: ['COW-06', 'IMG-03'], failures: ['EIO', 'ENOSPC', 'short'], least: 5, mayDoNone: true,
    bench: (lab) => makeBench(lab), on: store, match: anyWrite,
    round: roundOfImageWrite,
  },
  {
    name: 'add', spec: ['SNP-08', 'DIF-04'], failures: ['EIO', 'ENOSPC', 'short'], least: 4, mayDoNone: true,
    bench: (lab) => makeBench(lab), on: store, match: anyWrite,
    round: roundOfAdd,
  },
  {
    name: 'take', spec: ['SNP-08'], failures: ['EIO', 'short'], least: 4,
    bench: async (lab) => {
      const b = await makeBench(lab);
      await b.l.attach(b.l.disk('second'));
      b.l.defer(() => b.l.sh('umount "$1" 2>/dev/null || true', MOUNTED));
      return b;
    },
    on: ({ l }) => l.programmable('second'), match: anyWrite,
    round: roundOfTake,
  },
  {
    name: 'create', spec: ['SNP-08', 'DIF-05'], failures: ['EIO', 'short'], least: 1, mayDoNone: true,
    bench: (lab) => makeFileBench(lab, 'large'), on: store, match: anyWrite,
    round: roundOfCreate,
  },
  {
    name: 'growth', spec: ['COW-06', 'DIF-02', 'DIF-03'], failures: ['EIO', 'ENOSPC', 'short'], least: 1,
    bench: (lab) => makeFileBench(lab, 'large'), on: store, match: small,
    round: roundOfGrowth,
  },
  {
    name: 'destroy', spec: ['DIF-06', 'SNP-05'], failures: ['EIO', 'short'], least: 1,
    bench: (lab) => makeFileBench(lab, 'large'), on: store, match: anyWrite,
    round: roundOfDestroy,
  },
];

/** One request after the other fails, in each way, until a round meets no fault. */
export async function failEach(op: Operation, lab: MakeLab, faults: FaultLog): Promise<void> {
  const b = await op.bench(lab);
  for (const failure of op.failures) {
    let nth = 1;
    for (; await failOne(op, b, nth, failure, faults); nth++) {
      if (nth > 200) throw new Error(`${op.name}: more requests than can be`);
    }
    if (!op.mayDoNone) expect(nth - 1, `requests that failed with ${failure}`).toBeGreaterThanOrEqual(op.least);
  }
}

/** One request fails: which, and in which way, is up to the seed. */
export async function failSome(op: Operation, lab: MakeLab, faults: FaultLog, random: Rng): Promise<void> {
  const nth = 1 + random.below(op.least);
  const failure = op.failures[random.below(op.failures.length)] as IoFailure;
  const b = await op.bench(lab);
  const isMet = await failOne(op, b, nth, failure, faults) || (op.mayDoNone && await failOne(op, b, 1, failure, faults));
  if (!op.mayDoNone) expect(isMet, `request ${nth} was there to fail`).toBe(true);
}

/** Returns whether there was such a request. */
async function failOne(op: Operation, b: Bench, nth: number, failure: IoFailure, faults: FaultLog): Promise<boolean> {
  let fault: NthFault | undefined;
  const verdict = await op.round(b, () => {
    fault = (op.isLasting ? failLasting : failNth)(op.on(b), op.match, nth, failure);
    return fault;
  });
  if (!fault && !op.mayDoNone) throw new Error(`${op.name}: the round had no fault`);
  if (!fault?.hit) return false;
  faults.record({ kind: 'io', operation: op.name, point: `request ${nth} ${failure}`, hit: fault.hit, verdict });
  return true;
}

/** As failNth(); and what asks again for the sectors that were hit fails, too, until the fault ends. Of a bad sector only what asks for that. */
function failLasting(disk: ProgrammableDisk, match: RequestMatch, nth: number, failure: IoFailure): NthFault {
  // Those after the one that is hit are not counted any more.
  let latest: DiskRequest | undefined;
  const where = (request: DiskRequest): boolean => {
    if (match.where && !match.where(request)) return false;
    latest = request;
    return true;
  };
  const isAgain = ({ kind, sector, sectors }: DiskRequest): boolean => fault.hit !== '' && latest !== undefined && kind === latest.kind
    && !(failure === 'short' && kind === 'read') && sector < latest.sector + latest.sectors && latest.sector < sector + sectors;
  const endAgain = disk.fail({ where: isAgain }, failure === 'ENOSPC' ? 'ENOSPC' : 'EIO');
  const fault = failNth(disk, { ...match, where }, nth, failure);
  return {
    get hit() { return fault.hit; },
    get seen() { return fault.seen; },
    end: () => {
      fault.end();
      endAgain();
    },
  };
}
