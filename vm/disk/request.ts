/** A request of the guest as the disk's log has it, and how requests are told apart; pure. */
import type { DiskErrno } from './wire.js';

export type RequestKind = 'read' | 'write' | 'flush' | 'discard' | 'write-zeroes';

/** The moments are numbers in one order for all disks of a machine, never times. */
export interface DiskRequest {
  /** Place in the disk's log. */
  readonly index: number;
  readonly kind: RequestKind;
  /** Of 512 bytes. */
  readonly sector: number;
  /** 0 for a flush. */
  readonly sectors: number;
  readonly fua: boolean;
  /** The moment it came. */
  readonly arrived: number;
  /** The moment its data was read or written; undefined as long as that is not so, and for ever when it failed. */
  readonly applied: number | undefined;
  /** The moment the guest was told; undefined as long as it was not. */
  readonly answered: number | undefined;
  /** What the guest was told; undefined for success. */
  readonly errno: DiskErrno | undefined;
  /** What is to be written; kept only while the disk keeps data. */
  readonly data: Buffer | undefined;
}

/** All that is given must fit. */
export interface RequestMatch {
  readonly kind?: RequestKind | readonly RequestKind[];
  /** It touches one of the sectors from here on. */
  readonly sector?: number;
  /** Default 1. */
  readonly sectors?: number;
  readonly where?: (request: DiskRequest) => boolean;
}

export function matches(request: DiskRequest, match: RequestMatch): boolean {
  if (match.kind !== undefined && ![match.kind].flat().includes(request.kind)) return false;
  if (match.sector !== undefined) {
    const end = match.sector + (match.sectors ?? 1);
    if (request.sector >= end || request.sector + request.sectors <= match.sector) return false;
  }
  return match.where?.(request) ?? true;
}

/** One line, such as "#3 write 2048+8 fua: arrived 7, applied 9, answered 12". */
export function formatRequest(request: DiskRequest): string {
  const moments = (['arrived', 'applied', 'answered'] as const).filter((moment) => request[moment] !== undefined);
  const where = request.kind === 'flush' ? '' : ` ${request.sector}+${request.sectors}`;
  const end = request.errno ? ` with ${request.errno}` : '';
  const when = moments.map((moment) => `${moment} ${request[moment]}`).join(', ');
  return `#${request.index} ${request.kind}${where}${request.fua ? ' fua' : ''}: ${when}${end}`;
}

export function formatMatch(match: RequestMatch): string {
  const kind = match.kind === undefined ? 'request' : [match.kind].flat().join(' or ');
  const where = match.sector === undefined ? '' : ` at sectors ${match.sector}+${match.sectors ?? 1}`;
  return `${kind}${where}${match.where ? ' of some kind' : ''}`;
}
