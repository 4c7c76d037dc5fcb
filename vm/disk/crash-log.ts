/** Crash points: what a guest's disk held at every moment at which its power could have gone, put before a guest again.
 *
 *  Works for any guest and whatever it runs. What the guest was promised is placed by moments, which are the disk's own:
 *
 *    const log = CrashLog.begin(disk, 'disk.raw', 'base.raw');   // as it is now is kept
 *    ...                                                  // the guest works; when it has been told that something is safe:
 *    told.push({ what, moment: disk.moment() });          //   this moment comes after all that made it so
 *    log.end();
 *    const replay = new CrashReplay(log.basePath, '/tmp/other-disk.raw');
 *    for (const point of log.points()) {
 *      replay.show(survivors(point));                     // all that could be lost is; or a part of it: survivors(point, keep)
 *      // let a guest mount the other disk: its log must replay, and all that was told before point.until must be there
 *    }
 *
 *  The other disk may be a programmable one of a running guest, if nobody has it open while it is shown a state. Whatever a guest
 *  writes to it has to be told: replay.spoilt(disk.requests()); disk.forget(). */
import { copyFileSync } from 'node:fs';
import { crashAtEnd, crashPoints, type CrashPoint, type CrashState } from './crash-points.js';
import type { ProgrammableDisk } from './programmable.js';
import type { DiskRequest } from './request.js';

export class CrashLog {
  readonly disk: ProgrammableDisk;
  /** The disk as it was in the beginning. */
  readonly basePath: string;
  #log: readonly DiskRequest[] | undefined;
  #end = 0;

  private constructor(disk: ProgrammableDisk, basePath: string) {
    this.disk = disk;
    this.basePath = basePath;
  }

  /** Empties the disk's log, and keeps what is written from now on. Nothing may be held back; what was written before is taken
   *  for durable. `path` is the disk's file. */
  static begin(disk: ProgrammableDisk, path: string, basePath: string): CrashLog {
    // No request can come between these: the disk is served by this very thread.
    copyFileSync(path, basePath);
    disk.forget();
    disk.keepData = true;
    return new CrashLog(disk, basePath);
  }

  /** Ends it; what comes later does not belong to it. */
  end(): void {
    if (this.#log) return;
    this.#end = this.disk.moment();
    this.#log = [...this.disk.requests()];
    this.disk.keepData = false;
  }

  /** All points, the oldest first. */
  points(): CrashPoint[] {
    this.end();
    return crashPoints(this.#log as readonly DiskRequest[], this.#end);
  }

  /** What there is at its end. */
  last(): CrashState {
    this.end();
    return crashAtEnd(this.#log as readonly DiskRequest[], this.#end);
  }
}
