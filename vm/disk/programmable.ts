/** The programmable disk: a disk of a guest of which a test sees every request, and may hold, fail or lose any.
 *
 *  It is a raw file on the host, served to QEMU over a Unix socket; QEMU keeps at most 16 requests of it in flight.
 *  bootGuest() serves those disks that DiskSpec calls programmable, and guest.programmable(name) is where they are steered.
 *  This folder needs nothing but Node, so that any QEMU can have such a disk:
 *
 *    const disk = new ProgrammableDisk('data', 'data.raw', sizeBytes, new Moments());
 *    const server = await DiskServer.start(disk, '/tmp/data.socket');        // vm/disk/server.ts
 *    // qemu -blockdev driver=nbd,node-name=data,export=data,server.type=unix,server.path=/tmp/data.socket ...
 *    disk.nudges.ask = ...                                                  // over QMP: see vm/disk/nudge.ts, vm/boot/machine.ts
 *    server.close();
 *
 *  Order is told by numbers, never by clocks, and every wait ends with an event or names what came instead:
 *
 *    const held = disk.hold({ kind: 'read', sector: 2048, sectors: 512 });   // before the guest does it
 *    const read = await held.next();                                        // it has arrived, and goes no further
 *    ...                                                                    // later requests pass
 *    read.release();                                                        // or read.fail('EIO')
 *    disk.requests({ kind: 'write' }).every((write) => write.arrived > (read.request.answered ?? Infinity));
 *
 *  While a request is held, QEMU can neither be stopped nor unplug the disk: both wait for it. Killing QEMU is possible. */
import { HarnessError } from '../errors.js';
import { SECTOR_BYTES, within } from '../units.js';
import { BackingFile } from './backing.js';
import { Hold, HeldRequest, type HeldActions } from './hold.js';
import { Nudges } from './nudge.js';
import { formatMatch, formatRequest, matches, type DiskRequest, type RequestKind, type RequestMatch } from './request.js';
import type { DiskErrno } from './wire.js';

/** Numbers for moments, one row for all disks of a machine. */
export class Moments {
  #last = 0;

  next(): number {
    return ++this.#last;
  }
}

/** What came over the wire. */
export interface IncomingRequest {
  readonly kind: RequestKind;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly fua: boolean;
  readonly data: Buffer | undefined;
}

/** Tells the client; `data` is what was read. */
export type Answer = (errno: DiskErrno | undefined, data?: Buffer) => void;

export interface HoldOptions {
  /** Default 'arrival': before its data is read or written. 'answer': after that, and before the guest is told. */
  readonly at?: 'arrival' | 'answer';
}

interface Failing {
  readonly match: RequestMatch;
  readonly errno: DiskErrno;
  readonly appliedSectors: (request: DiskRequest) => number;
  left: number;
}

interface Entry extends DiskRequest {
  applied: number | undefined;
  answered: number | undefined;
  errno: DiskErrno | undefined;
}

const WAIT_MS = 30_000;
const SHOWN = 12;

export class ProgrammableDisk {
  readonly name: string;
  readonly sizeBytes: number;
  /** Keep what is written in the log, in `data`. */
  keepData = false;
  /** What is answered while other requests are held ends in a guest of QEMU 7.2 only with these: see there. */
  readonly nudges: Nudges;
  /** Told when serving it fails, as when the host has no space left: QEMU would call it an I/O error of the disk. */
  onBroken: ((error: unknown) => void) | undefined;
  readonly #file: BackingFile;
  readonly #moments: Moments;
  readonly #holds: { readonly hold: Hold; readonly at: 'arrival' | 'answer' }[] = [];
  readonly #failing: Failing[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #listeners = new Set<(request: DiskRequest) => void>();
  #log: Entry[] = [];
  #hasPower = true;
  #unanswered = 0;

  constructor(name: string, path: string, sizeBytes: number, moments: Moments) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.nudges = new Nudges(sizeBytes);
    this.#file = new BackingFile(path);
    this.#moments = moments;
  }

  /** What came since the guest was restored, or since forget(), in the order in which it came. */
  requests(match: RequestMatch = {}): readonly DiskRequest[] {
    return this.#log.filter((request) => matches(request, match));
  }

  /** Empties the log. */
  forget(): void {
    this.#log = [];
  }

  /** Holds back every request from now on that matches; of several holds the oldest counts. */
  hold(match: RequestMatch, options: HoldOptions = {}): Hold {
    const hold = new Hold(match, (of, ready) => this.#wait(ready, `held no ${formatMatch(of.match)}`));
    this.#holds.push({ hold, at: options.at ?? 'arrival' });
    return hold;
  }

  /** Fails requests as they come: the next that match, by default all from now on. Of a write, so many sectors are written
   *  nevertheless (default none). Returns how to end that. */
  fail(match: RequestMatch, errno: DiskErrno, times = Infinity, appliedSectors: Failing['appliedSectors'] = () => 0): () => void {
    const failing = { match, errno, appliedSectors, left: times };
    this.#failing.push(failing);
    return () => { failing.left = 0; };
  }

  /** Resolves with the first request, of the past or to come, that matches and has come to this moment. */
  async first(match: RequestMatch, moment: 'arrived' | 'applied' | 'answered' = 'answered'): Promise<DiskRequest> {
    const find = (): Entry | undefined => this.#log.find((request) => request[moment] !== undefined && matches(request, match));
    await this.#wait(() => find() !== undefined, `saw no ${formatMatch(match)} ${moment}`);
    return find() as Entry;
  }

  /** A moment of its own: whatever has come, was done or was told has a smaller number, and what follows a larger one. */
  moment(): number {
    return this.#moments.next();
  }

  /** Calls with each request as it comes, before anything is done with it. Returns how to end that. */
  watch(listener: (request: DiskRequest) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** From now on nothing is applied or answered, what is held and what comes: the mains have failed. */
  mainsFailure(): void {
    this.#hasPower = false;
  }

  /** For the server: takes a request in. */
  take(incoming: IncomingRequest, answer: Answer): void {
    if (this.nudges.take(incoming)) {
      if (this.#hasPower) answer(undefined, this.#apply(incoming));
      return;
    }
    this.#unanswered += 1;
    const entry: Entry = {
      index: this.#log.length,
      kind: incoming.kind,
      sector: incoming.offset / SECTOR_BYTES,
      sectors: incoming.length / SECTOR_BYTES,
      fua: incoming.fua,
      arrived: this.#moments.next(),
      applied: undefined,
      answered: undefined,
      errno: undefined,
      data: this.keepData ? incoming.data : undefined,
    };
    this.#log.push(entry);
    for (const listener of [...this.#listeners]) listener(entry);
    this.#handle(entry, this.#actions(entry, incoming, answer));
    this.#changed();
  }

  /** For the server: closes the file. */
  close(): void {
    this.#hasPower = false;
    this.#file.close();
  }

  #handle(entry: Entry, actions: HeldActions): void {
    if (entry.kind !== 'flush' && entry.sector * SECTOR_BYTES + entry.sectors * SECTOR_BYTES > this.sizeBytes) {
      actions.fail(entry.kind === 'read' ? 'EINVAL' : 'ENOSPC', 0);
      return;
    }
    const failing = this.#failing.find(({ match, left }) => left > 0 && matches(entry, match));
    if (failing) {
      failing.left -= 1;
      actions.fail(failing.errno, failing.appliedSectors(entry));
      return;
    }
    const rule = this.#holds.find(({ hold }) => hold.isOpen && matches(entry, hold.match));
    if (rule?.at !== 'arrival') actions.apply();
    if (rule) rule.hold.caught.push(new HeldRequest(entry, actions));
    else actions.answer();
  }

  #actions(entry: Entry, incoming: IncomingRequest, answer: Answer): HeldActions {
    let result: Buffer | undefined;
    const tell = (errno: DiskErrno | undefined): void => {
      if (!this.#hasPower || entry.answered !== undefined) return;
      entry.errno = errno;
      entry.answered = this.#moments.next();
      answer(errno, result);
      this.#unanswered -= 1;
      if (this.#unanswered > 0) this.nudges.owe();
      this.#changed();
    };
    return {
      apply: (): void => {
        if (!this.#hasPower || entry.applied !== undefined) return;
        result = this.#apply(incoming);
        entry.applied = this.#moments.next();
        this.#changed();
      },
      answer: (): void => tell(undefined),
      fail: (errno: DiskErrno, appliedSectors: number): void => {
        if (this.#hasPower && appliedSectors > 0) this.#apply({ ...incoming, ...part(incoming, appliedSectors * SECTOR_BYTES) });
        tell(errno);
      },
    };
  }

  /** Returns what was read. */
  #apply({ kind, offset, length, data }: IncomingRequest): Buffer | undefined {
    switch (kind) {
      case 'read':
        return this.#file.read(offset, length);
      case 'write':
        this.#file.write(offset, data as Buffer);
        return undefined;
      case 'discard':
      case 'write-zeroes':
        this.#file.zero(offset, length);
        return undefined;
      case 'flush':
        return undefined;
    }
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  async #wait(ready: () => boolean, otherwise: string): Promise<void> {
    if (ready()) return;
    let watcher!: () => void;
    const came = new Promise<true>((resolve) => {
      watcher = () => {
        if (ready()) resolve(true);
      };
      this.#watchers.add(watcher);
    });
    try {
      if (await within(came, WAIT_MS)) return;
    } finally {
      this.#watchers.delete(watcher);
    }
    const last = this.#log.slice(-SHOWN).map((request) => `  ${formatRequest(request)}`);
    if (this.nudges.refusal !== undefined) last.push(`  QEMU was not nudged (vm/disk/nudge.ts): ${this.nudges.refusal}`);
    throw new HarnessError([`disk ${this.name} ${otherwise} within ${WAIT_MS} ms; the last that came:`, ...last].join('\n'), {
      code: 'ENOREQUEST', blame: 'product', phase: 'programmable disk',
    });
  }
}

function part({ data }: IncomingRequest, bytes: number): Pick<IncomingRequest, 'length' | 'data'> {
  return { length: bytes, data: data?.subarray(0, bytes) };
}
