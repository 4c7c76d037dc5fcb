/** The crash log tells what a disk may hold when its power goes: what is durable always, of the rest any part.
 *  Method: logs of a few requests by hand; and a disk without a client, whose file is compared with what is replayed. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect } from 'vitest';
import { CrashLog } from '../../../../vm/disk/crash-log.js';
import { changesOf, formatPoint, survivors, type CrashPoint } from '../../../../vm/disk/crash-points.js';
import { CrashReplay } from '../../../../vm/disk/crash-replay.js';
import { Moments, ProgrammableDisk } from '../../../../vm/disk/programmable.js';
import type { DiskRequest, RequestKind } from '../../../../vm/disk/request.js';

const SECTOR = 512;
const SECTORS = 64;

interface Rig {
  readonly disk: ProgrammableDisk;
  readonly path: (name: string) => string;
  readonly request: (kind: RequestKind, sector?: number, data?: readonly number[], fua?: boolean) => void;
  /** First byte of each sector, as far as any is not zero. */
  readonly content: (name: string) => Promise<number[]>;
}

const test = base.extend<{ rig: Rig }>({
  rig: async ({}, use) => {
    const dir = await mkdtemp(join(tmpdir(), 'crash-'));
    const path = (name: string): string => join(dir, name);
    await writeFile(path('disk'), Buffer.alloc(SECTORS * SECTOR));
    const disk = new ProgrammableDisk('d', path('disk'), SECTORS * SECTOR, new Moments());
    await use({
      disk, path,
      request: (kind, sector = 0, data = [], fua = false) => {
        const bytes = Buffer.concat(data.map((value) => Buffer.alloc(SECTOR, value)));
        const written = kind === 'write' ? bytes : undefined;
        disk.take({ kind, offset: sector * SECTOR, length: bytes.length, fua, data: written }, () => undefined);
      },
      content: async (name) => {
        const sectors = [...await readFile(path(name))].filter((_, at) => at % SECTOR === 0);
        return sectors.slice(0, sectors.findLastIndex((value) => value !== 0) + 1);
      },
    });
    disk.close();
    await rm(dir, { recursive: true });
  },
});

/** Where they are on the disk. */
const places = (requests: readonly DiskRequest[]): string => requests.map(({ sector }) => sector).join(',');
const summary = (point: CrashPoint): string => `${formatPoint(point)}: ${places(point.durable)} | ${places(point.volatile)}`;

test('a flush makes durable what was answered before it came; what comes later may be lost until the next one', ({ rig: { disk, path, request } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('write', 1, [1]);
  request('flush');
  request('write', 2, [2]);
  request('discard', 3, [0]);
  request('read', 1, [0]);
  request('flush');
  request('write', 4, [4]);
  expect(log.points().map(summary)).toEqual(['flush 1 at request 1: 1 | 2,3', 'flush 2 at request 5: 1,2,3 | 4']);
});

test('a write that was not answered when the flush came is not durable, nor is one that failed there at all', ({ rig: { disk, path, request } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  const late = disk.hold({ sector: 1 }, { at: 'answer' });
  const never = disk.hold({ sector: 2 });
  disk.fail({ sector: 3 }, 'EIO');
  for (const sector of [1, 2, 3]) request('write', sector, [sector]);
  request('flush');
  late.release();
  expect(log.points().map(summary)).toEqual(['flush 1 at request 3:  | 1']);
  never.release();
});

test('a write with FUA is durable itself, and nothing else is', ({ rig: { disk, path, request } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('write', 1, [1]);
  request('write', 2, [2], true);
  expect(log.points().map(summary)).toEqual(['FUA 1 at request 1: 2 | 1']);
});

test('a flush that failed, or was never answered, is no point', ({ rig: { disk, path, request } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('write', 1, [1]);
  disk.fail({ kind: 'flush' }, 'EIO', 1);
  request('flush');
  const hold = disk.hold({ kind: 'flush' });
  request('flush');
  expect(log.points()).toEqual([]);
  expect(places(log.last().volatile)).toBe('1');
  hold.release();
});

test('the end of a point is the moment at which the next mark came', ({ rig: { disk, path, request } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('flush');
  const between = disk.moment();
  request('flush');
  const after = disk.moment();
  const [first, second] = log.points();
  expect(between).toBeLessThan(first?.until as number);
  expect(after).toBeGreaterThan(first?.until as number);
  expect(after).toBeLessThan(second?.until as number);
});

test('what comes after the end of the log is not in it', ({ rig: { disk, path, request } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('flush');
  log.end();
  request('write', 1, [1]);
  request('flush');
  expect(log.points().map(summary)).toEqual(['flush 1 at request 0:  | ']);
  expect(log.last()).toMatchObject({ durable: [], volatile: [] });
});

test('a write is lost in pieces of 4 KiB as the disk has them', ({ rig: { disk, request } }) => {
  disk.keepData = true;
  request('write', 6, Array.from({ length: 12 }, (_, at) => at));
  const [write] = disk.requests();
  const pieces = changesOf(write as DiskRequest).map(({ sector, sectors, data }) => [sector, sectors, data?.[0]]);
  expect(pieces).toEqual([[6, 2, 0], [8, 8, 2], [16, 2, 10]]);
});

test('a log without data cannot be replayed, and says so', ({ rig: { disk, request } }) => {
  request('write', 6, [1]);
  expect(() => changesOf(disk.requests()[0] as DiskRequest)).toThrow(/no data of #0 write 6\+1/);
});

test('every point can be shown, in any order, and what a guest has done to the file meanwhile is undone', async ({ rig: { disk, path, request, content } }) => {
  request('write', 0, [9, 9, 9, 9]);
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('write', 1, [1]);
  request('flush');
  request('write', 1, [2, 2]);
  request('discard', 3, [0]);
  request('flush');
  const [first, second] = log.points() as [CrashPoint, CrashPoint];
  expect(await content('disk')).toEqual([9, 2, 2]);

  await writeFile(path('other'), await readFile(path('base')));
  const replay = new CrashReplay(log.basePath, path('other'));
  const show = async (point: CrashPoint, keep?: Parameters<typeof survivors>[1]): Promise<number[]> => {
    replay.show(survivors(point, keep));
    return content('other');
  };
  expect(await show(first)).toEqual([9, 1, 9, 9]);
  expect(await show(second)).toEqual([9, 2, 2]);
  expect(await show(first, ({ data }) => data === undefined)).toEqual([9, 1, 9]);
  expect(await show(first, () => true)).toEqual([9, 2, 2]);

  await writeFile(path('other'), Buffer.alloc(SECTORS * SECTOR, 7));
  replay.spoilt([{ kind: 'write', sector: 0, sectors: SECTORS } as DiskRequest]);
  expect(await show(first)).toEqual([9, 1, 9, 9]);
  replay.close();
});

test('of two writes to one place the later one counts, whichever of them is durable', async ({ rig: { disk, path, request, content } }) => {
  const log = CrashLog.begin(disk, path('disk'), path('base'));
  request('write', 0, [1, 1]);
  request('write', 1, [2], true);
  await writeFile(path('other'), await readFile(path('base')));
  const replay = new CrashReplay(log.basePath, path('other'));
  replay.show(survivors(log.points()[0] as CrashPoint, () => true));
  expect(await content('other')).toEqual([1, 2]);
  replay.close();
});

test('who watches a disk sees each request before anything is done, and can cut the power there', async ({ rig: { disk, request, content } }) => {
  const seen: string[] = [];
  const stop = disk.watch((write) => {
    seen.push(`${write.sector} ${write.applied}`);
    if (write.sector === 2) disk.mainsFailure();
  });
  for (const sector of [1, 2, 3]) request('write', sector, [sector]);
  stop();
  request('write', 4, [4]);
  expect(seen).toEqual(['1 undefined', '2 undefined', '3 undefined']);
  expect(await content('disk')).toEqual([0, 1]);
});
