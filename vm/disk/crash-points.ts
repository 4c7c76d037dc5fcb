/** What may be on a disk with a volatile cache when its power goes, from the log of its requests; pure.
 *
 *  Durable is a write that had been answered when a flush came, once that flush is answered, and a write with FUA once it is
 *  answered itself. Of everything else that had come, a disk may keep any part: in any order, and in pieces of 4 KiB. */
import { SECTOR_BYTES } from '../units.js';
import { formatRequest, type DiskRequest } from './request.js';

/** A piece of what a request changed. */
export interface Change {
  /** When it was written: of two that overlap, the later one counts. */
  readonly applied: number;
  readonly sector: number;
  readonly sectors: number;
  /** Undefined: it reads as zeroes from then on. */
  readonly data: Buffer | undefined;
}

/** What there is at a moment. */
export interface CrashState {
  /** What no disk may lose any more. */
  readonly durable: readonly DiskRequest[];
  /** What has come and may be lost, each piece by itself. */
  readonly volatile: readonly DiskRequest[];
}

/** The time from one mark to the next, and what there is at its end. A mark is a flush, or a write with FUA: only these make
 *  anything durable. */
export interface CrashPoint extends CrashState {
  /** Counted from 1. */
  readonly number: number;
  readonly mark: DiskRequest;
  /** When the next mark came, or the log was ended: whatever was promised before this moment must be there. */
  readonly until: number;
}

const PIECE_SECTORS = 4096 / SECTOR_BYTES;

const changesData = ({ kind }: DiskRequest): boolean => kind === 'write' || kind === 'discard' || kind === 'write-zeroes';
const isMark = ({ kind, fua }: DiskRequest): boolean => kind === 'flush' || (kind === 'write' && fua);

/** All points of a log, the oldest first. A mark that failed, or was never answered, makes nothing durable and is none.
 *  `end` is the moment at which the log was ended. */
export function crashPoints(log: readonly DiskRequest[], end: number): CrashPoint[] {
  const changes = log.filter((request) => changesData(request) && request.applied !== undefined);
  const marks = log.filter((request) => isMark(request) && request.answered !== undefined && request.errno === undefined);
  const isDurable = new Set<DiskRequest>();
  return marks.map((mark, at) => {
    const until = marks[at + 1]?.arrived ?? end;
    if (mark.kind === 'flush') {
      for (const change of changes) if ((change.answered ?? Infinity) < mark.arrived) isDurable.add(change);
    } else {
      isDurable.add(mark);
    }
    const come = changes.filter(({ applied }) => (applied as number) < until);
    return {
      number: at + 1, mark, until,
      durable: changes.filter((change) => isDurable.has(change)),
      volatile: come.filter((change) => !isDurable.has(change)),
    };
  });
}

/** What a request changed, in pieces that a disk writes or loses whole: aligned, of 4 KiB at most. A discard is one piece. */
export function changesOf(request: DiskRequest): Change[] {
  const { sector, sectors, data, kind } = request;
  const applied = request.applied as number;
  if (kind !== 'write') return [{ applied, sector, sectors, data: undefined }];
  if (!data) throw new Error(`the log has no data of ${formatRequest(request)}: see keepData`);
  const pieces: Change[] = [];
  for (let done = 0; done < sectors;) {
    const count = Math.min(sectors - done, PIECE_SECTORS - (sector + done) % PIECE_SECTORS);
    const bytes = data.subarray(done * SECTOR_BYTES, (done + count) * SECTOR_BYTES);
    pieces.push({ applied, sector: sector + done, sectors: count, data: bytes });
    done += count;
  }
  return pieces;
}

/** What there is when the log is ended, also where it has no mark. */
export function crashAtEnd(log: readonly DiskRequest[], end: number): CrashState {
  const changes = log.filter((request) => changesData(request) && request.applied !== undefined);
  return crashPoints(log, end).at(-1) ?? { durable: [], volatile: changes };
}

/** What is there after a crash: all that is durable, and what `keep` says of the pieces that are not. */
export function survivors(state: CrashState, keep: (piece: Change) => boolean = () => false): Change[] {
  return [...state.durable.flatMap(changesOf), ...state.volatile.flatMap(changesOf).filter(keep)];
}

/** One line, such as "flush 17 at request 345". */
export function formatPoint({ number, mark }: CrashPoint): string {
  return `${mark.kind === 'flush' ? 'flush' : 'FUA'} ${number} at request ${mark.index}`;
}
