/** Each request that the module issues, or has a file system issue for it, and what must hold when it fails: COW-06.
 *  An operation makes its bench once; each round takes a snapshot, lets one request fail, and looks at all that is promised. */
import type { FaultLog, ProgrammableDisk, RequestMatch } from '../../vm/index.js';
import { expect, failNth, type IoFailure, type NthFault, type Rng } from '../fixtures/index.js';
import { hold, makeBench, makeFileBench, overwrite, remount, type Bench, type IoOperation, type MakeLab } from './io-bench.js';
import {
  MOUNTED, roundOfAdd, roundOfCachedStore, roundOfCopy, roundOfCreate, roundOfDestroy, roundOfGrowth, roundOfImageWrite,
  roundOfRead, roundOfTake, untilReadFromStorage,
} from './io-rounds.js';

const store = ({ store: disk }: Bench): ProgrammableDisk => disk;
const original = ({ disk }: Bench): ProgrammableDisk => disk;
const anyWrite: RequestMatch = { kind: ['write', 'flush', 'write-zeroes', 'discard'] };
/** Not the chunks themselves. */
const small: RequestMatch = { ...anyWrite, where: ({ sectors }) => sectors < 64 };
export const large: RequestMatch = { kind: 'write', where: ({ sectors }) => sectors >= 64 };

export const operations: readonly IoOperation[] = [
  {
    name: 'first copy', spec: ['COW-06', 'EVT-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8,
    bench: (lab) => makeBench(lab), on: original, match: { kind: 'read' },
    round: (b, arm) => roundOfCopy(b, arm, 'EIO'),
  },
  {
    name: 'store', spec: ['COW-06', 'EVT-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8,
    bench: (lab) => makeBench(lab), on: store, match: { kind: 'write' },
    round: (b, arm) => roundOfCopy(b, arm, 'EIO'),
  },
  {
    // A SCSI disk says of what went wrong that it was its space.
    name: 'store on SCSI', spec: ['COW-06', 'EVT-02'], failures: ['ENOSPC'], least: 8,
    bench: (lab) => makeBench(lab, 'pulledstore'), on: store, match: { kind: 'write' },
    round: (b, arm) => roundOfCopy(b, arm, 'ENOSPC'),
  },
  {
    name: 'store in a file on ext4', spec: ['COW-06', 'DIF-05'], failures: ['EIO', 'short'], least: 8,
    bench: (lab) => makeFileBench(lab, 'store'), on: store, match: large,
    round: async (b, arm) => {
      await remount(b, 'ext4');
      return roundOfCopy(b, arm, 'EIO');
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
    name: 'image read from the original', spec: ['COW-06', 'IMG-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 16,
    bench: (lab) => makeBench(lab), on: original, match: { kind: 'read' },
    round: async (b, arm) => roundOfRead(b, await hold(b), arm, true),
  },
  {
    name: 'image read from the storage', spec: ['COW-06', 'DIF-05', 'IMG-02'], failures: ['EIO', 'ENOSPC', 'short'], least: 8,
    bench: (lab) => makeBench(lab), on: store, match: { kind: 'read' },
    round: async (b, arm) => {
      const held = await hold(b);
      await overwrite(b);
      await untilReadFromStorage(b, held);
      return roundOfRead(b, held, arm, false);
    },
  },
  {
    name: 'image write', spec: ['COW-06', 'IMG-03'], failures: ['EIO', 'ENOSPC', 'short'], least: 5,
    bench: (lab) => makeBench(lab), on: store, match: anyWrite,
    round: roundOfImageWrite,
  },
  {
    name: 'add', spec: ['SNP-08', 'DIF-04'], failures: ['EIO', 'ENOSPC', 'short'], least: 4,
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
    name: 'create', spec: ['SNP-08', 'DIF-05'], failures: ['EIO', 'short'], least: 1,
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
export async function failEach(op: IoOperation, lab: MakeLab, faults: FaultLog): Promise<void> {
  const b = await op.bench(lab);
  for (const failure of op.failures) {
    let nth = 1;
    for (; await failOne(op, b, nth, failure, faults); nth++) {
      if (nth > 200) throw new Error(`${op.name}: more requests than can be`);
    }
    expect(nth - 1, `requests that failed with ${failure}`).toBeGreaterThanOrEqual(op.least);
  }
}

/** One request fails: which, and in which way, is up to the seed. */
export async function failSome(op: IoOperation, lab: MakeLab, faults: FaultLog, random: Rng): Promise<void> {
  const nth = 1 + random.below(op.least);
  const failure = op.failures[random.below(op.failures.length)] as IoFailure;
  expect(await failOne(op, await op.bench(lab), nth, failure, faults), `request ${nth} was there to fail`).toBe(true);
}

/** Returns whether there was such a request. */
async function failOne(op: IoOperation, b: Bench, nth: number, failure: IoFailure, faults: FaultLog): Promise<boolean> {
  let fault: NthFault | undefined;
  const verdict = await op.round(b, () => {
    fault = failNth(op.on(b), op.match, nth, failure);
    return fault;
  });
  if (!fault) throw new Error(`${op.name}: the round had no fault`);
  if (!fault.hit) return false;
  faults.record({ kind: 'io', operation: op.name, point: `request ${nth} ${failure}`, hit: fault.hit, verdict });
  return true;
}
