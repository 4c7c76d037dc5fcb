/** Every call that waits, and what it is made to wait for: a request that a programmable disk holds.
 *  When the caller has got its signal the request is let go; then the call is done or was never begun, and all can go on. */
import {
  aio, CHUNK, controlCommand, createArgument, ctlArgument, ctlCommand, expect, expectFrozen, filterCommand, filterName, freezeSteered, imagesOf, makeSteered,
  mountExt4, NeverSleptError, Snapshot, startAio, startBlocked, steeredLab, type BlockedOptions, type Device, type FaultPoint, type Lab, type LabOptions,
} from '../fixtures/index.js';

const SECTOR = 512;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;
const chunk3 = { sector: at(3) / SECTOR, sectors: CHUNK / SECTOR };
const CONTROL = '/dev/blksnap-control';
const FOREVER = 'ffffffff';
/** Any function of the module. */
const MODULE = '[blksnap]';

export const signals = ['TERM', 'KILL'] as const;
export type Signal = (typeof signals)[number];

interface Waiting extends BlockedOptions {
  readonly l: Lab;
  readonly argv: readonly string[];
  /** Lets it go on; a call that a signal ends by itself needs none. */
  readonly release?: () => void;
  /** What must hold when the call has ended: with null, an errno, or unknown as it was killed. */
  readonly after: (error: string | null | undefined) => Promise<void>;
}

export interface WaitingCall {
  readonly call: string;
  readonly while: string;
  readonly spec: readonly string[];
  /** A signal ends it, whatever it waits for. */
  readonly isInterruptible?: boolean;
  /** A module may as well have nothing to wait for there. */
  readonly mayNotWait?: boolean;
  readonly arrange: (lab: (options?: LabOptions) => Promise<Lab>) => Promise<Waiting>;
}

const call = (path: string, command: number, hex: string): string[] => ['blkio', 'ioctl', '--rdonly', path, `${command}`, hex, '--catch'];
const hexOf = (snapshot: Snapshot): string => snapshot.id.replaceAll('-', '');
const attachName = filterName('blksnap').toString('hex');

function addArgument(snapshot: Snapshot): string {
  return ctlArgument(ctlCommand.snapshotAdd, Buffer.from(hexOf(snapshot), 'hex')).toString('hex');
}

/** The snapshot is taken, or can be taken; its image is right, and it can be destroyed. */
async function expectTakable(data: Device, snapshot: Snapshot, error: string | null | undefined): Promise<void> {
  const { image } = await data.snapshotInfo();
  if (error !== undefined) expect(image !== null && image !== '').toBe(error === null);
  if (!image) await snapshot.take();
  const frozen = await data.sectorsAt(at(2), 3 * CHUNK);
  expect(await aio(data, [{ offset: at(3), length: CHUNK, byte: 0x33 }])).toEqual([CHUNK]);
  await expect(await (await snapshot.image(data)).sectorsAt(at(2), 3 * CHUNK)).toHoldSectorsOf(frozen);
  await snapshot.destroy();
}

async function expectAttachable(l: Lab, data: Device, isAttached: boolean | undefined): Promise<void> {
  const seen = await l.isAttached(data);
  if (isAttached !== undefined) expect(seen).toBe(isAttached);
  if (seen) await data.detach();
  expect(await aio(data, [{ offset: at(4), length: 4096 }])).toEqual([4096]);
  await data.attach();
  await data.detach();
}

export const waitingCalls: readonly WaitingCall[] = [
  { call: 'take', while: 'it waits for a write in flight', spec: ['SNP-06', 'SNP-08', 'SNP-09'], arrange: async (lab) => {
    const { l, data, disk } = await makeSteered(lab);
    const snapshot = await l.createSnapshot();
    await snapshot.add(data);
    const hold = disk.hold({ kind: 'write' });
    const write = startAio(data, [{ offset: at(3, 8), length: 4096 }]);
    await hold.next();
    hold.close();
    return {
      l, argv: call(CONTROL, controlCommand.take, hexOf(snapshot)), sleepsIn: MODULE, release: () => hold.release(),
      after: async (error) => {
        expect(await write.done).toEqual([4096]);
        await expectTakable(data, snapshot, error);
      },
    };
  } },
  { call: 'take', while: 'it freezes a file system', spec: ['SNP-06', 'SNP-08'], arrange: async (lab) => {
    const { l, data, disk } = await makeSteered(lab);
    await mountExt4(l, data, '/mnt/data', ['-E', 'lazy_itable_init=0'], '64M');
    const snapshot = await l.createSnapshot();
    await snapshot.add(data);
    await l.sh('seq 1000 > /mnt/data/file');
    const hold = disk.hold({ kind: 'write' });
    return {
      l, argv: call(CONTROL, controlCommand.take, hexOf(snapshot)), started: () => hold.next(), sleepsIn: 'bdev_freeze', release: () => hold.release(),
      after: async (error) => {
        await l.sh('seq 1000 2000 > /mnt/data/other && sync -f /mnt/data/other');
        const { image } = await data.snapshotInfo();
        if (error !== undefined) expect(image !== null && image !== '').toBe(error === null);
        if (!image) await snapshot.take();
        await (await snapshot.image(data)).read(at(3), CHUNK);
        await snapshot.destroy();
      },
    };
  } },
  { call: 'wait event', while: 'nothing happens', spec: ['EVT-01', 'SNP-06'], isInterruptible: true, arrange: async (lab) => {
    const { l, snapshot } = await freezeSteered(lab);
    return {
      l, argv: call(CONTROL, controlCommand.waitEvent, `${hexOf(snapshot)}${FOREVER}`), sleepsIn: MODULE,
      after: async (error) => {
        if (error !== undefined) expect(error).toBe('EINTR');
        // The next waiter hears what happens next.
        const woken = expect(snapshot.waitEvent()).rejects.toMatchObject({ errno: 'ESRCH' });
        await snapshot.destroy();
        await woken;
      },
    };
  } },
  { call: 'destroy', while: 'it waits for a copy', spec: ['SNP-06', 'SNP-09'], arrange: async (lab) => {
    const { l, data, disk, snapshot } = await freezeSteered(lab);
    const hold = disk.hold({ kind: 'read', ...chunk3 });
    const write = startAio(data, [{ offset: at(3, 8), length: 4096 }]);
    await hold.next();
    hold.close();
    snapshot.isDestroyed = true;
    return {
      l, argv: call(CONTROL, controlCommand.destroy, hexOf(snapshot)), sleepsIn: MODULE, release: () => hold.release(),
      after: async () => {
        expect(await write.done).toEqual([4096]);
        await expectGone(l, data);
      },
    };
  } },
  { call: 'destroy', while: 'it waits for a reader of the image', spec: ['SNP-06', 'IMG-04'], arrange: async (lab) => {
    const { l, data, disk, image, snapshot } = await freezeSteered(lab);
    const hold = disk.hold({ kind: 'read', ...chunk3 });
    const read = startAio(image, [{ op: 'read', offset: at(3), length: 4096 }]);
    await hold.next();
    hold.close();
    snapshot.isDestroyed = true;
    return {
      l, argv: call(CONTROL, controlCommand.destroy, hexOf(snapshot)), sleepsIn: MODULE, release: () => hold.release(),
      after: async () => {
        expect(['EIO', 4096]).toContain((await read.done)[0]);
        await expectGone(l, data);
      },
    };
  } },
  { call: 'detach', while: 'it waits for a write in flight', spec: ['FLT-03', 'SNP-06'], arrange: async (lab) => {
    const { l, data, disk } = await makeSteered(lab);
    const hold = disk.hold({ kind: 'write' });
    const write = startAio(data, [{ offset: at(3), length: 4096 }]);
    await hold.next();
    hold.close();
    return {
      l, argv: call(data.path, filterCommand.detach, attachName), sleepsIn: 'blkfilter_detach', release: () => hold.release(),
      after: async (error) => {
        expect(await write.done).toEqual([4096]);
        await expectAttachable(l, data, error === undefined ? undefined : error !== null);
      },
    };
  } },
  { call: 'attach', while: 'it waits for a write in flight', spec: ['FLT-03', 'FLT-01'], arrange: async (lab) => {
    const l = await steeredLab(lab);
    const data = l.disk('data');
    const hold = l.programmable('data').hold({ kind: 'write' });
    const write = startAio(data, [{ offset: at(3), length: 4096 }]);
    await hold.next();
    hold.close();
    return {
      l, argv: call(data.path, filterCommand.attach, attachName), sleepsIn: 'blkfilter_attach', release: () => hold.release(),
      after: async (error) => {
        expect(await write.done).toEqual([4096]);
        await expectAttachable(l, data, error === undefined ? undefined : error === null);
      },
    };
  } },
  { call: 'image read', while: 'the device does not answer', spec: ['IMG-02', 'SNP-06'], arrange: async (lab) => {
    const s = await freezeSteered(lab);
    const hold = s.disk.hold({ kind: 'read', ...chunk3 });
    return {
      l: s.l, argv: ['blkio', 'read', s.image.path, `${at(3)}`, '4096', '--direct', '--catch'], started: () => hold.next(), sleepsIn: 'blkdev_read_iter',
      release: () => hold.release(),
      after: async () => {
        await expectFrozen(s, 3);
        await s.snapshot.destroy();
      },
    };
  } },
  { call: 'write', while: 'its copy is read', spec: ['COW-03', 'SNP-06'], arrange: async (lab) => {
    const s = await freezeSteered(lab);
    const hold = s.disk.hold({ kind: 'read', ...chunk3 });
    return {
      l: s.l, argv: ['blkio', 'write', s.data.path, `${at(3)}`, '--direct', '--catch'], stdin: new Uint8Array(4096).fill(0x11), started: () => hold.next(),
      sleepsIn: 'blkdev_write_iter', release: () => hold.release(),
      after: async () => {
        // It was with the kernel, which writes all of it, whoever is there to hear that.
        await s.disk.first({ kind: 'write', sector: at(3) / SECTOR });
        expect(await s.data.read(at(3), 4096)).toEqual(Buffer.alloc(4096, 0x11));
        await expectFrozen(s, 3);
        await s.snapshot.destroy();
      },
    };
  } },
  { call: 'add', while: 'it tries the storage', spec: ['SNP-06', 'SNP-04'], mayNotWait: true, arrange: async (lab) => {
    const { l, data, store } = await makeSteered(lab);
    const snapshot = await l.createSnapshot();
    const hold = store.hold({ kind: 'write' });
    return {
      l, argv: call(data.path, filterCommand.ctl, addArgument(snapshot)), started: () => hold.next(), sleepsIn: MODULE, release: () => hold.release(),
      after: async (error) => {
        const isIn = await data.snapshotInfo().then(() => true, () => false);
        if (error !== undefined) expect(isIn).toBe(error === null);
        if (!isIn) await snapshot.add(data);
        await expectTakable(data, snapshot, undefined);
      },
    };
  } },
  { call: 'create', while: 'the storage\'s file gets its space', spec: ['SNP-06', 'DIF-06'], mayNotWait: true, arrange: async (lab) => {
    const l = await steeredLab(lab);
    await mountExt4(l, l.disk('store'), '/mnt/store', ['-E', 'lazy_itable_init=0']);
    // To get space it has to read which blocks are free: mounted anew, it knows of none.
    await l.sh(': > /mnt/store/diff; umount /mnt/store; mount -o no_prefetch_block_bitmaps "$1" /mnt/store', l.disk('store').path);
    const store = l.programmable('store');
    let hold: ReturnType<typeof store.hold> | undefined;
    const size = (): Promise<string> => l.sh('stat -c %s.%b /mnt/store/diff');
    return {
      l, prelude: 'exec 3<> /mnt/store/diff', argv: call(CONTROL, controlCommand.create, createArgument(16384, 3).toString('hex')),
      ready: () => {
        hold = store.hold({ kind: 'read' });
        return Promise.resolve();
      },
      started: async () => hold?.next(), sleepsIn: MODULE, release: () => hold?.release(),
      after: async (error) => {
        const ids = await Snapshot.collect(l.guest);
        if (error !== undefined) expect(ids).toHaveLength(error === null ? 1 : 0);
        for (const id of ids) await l.guest.run(['blksnapctl', 'snapshot', 'destroy', id]);
        expect(await size()).toBe('0.0');
        const again = await l.createSnapshot({ storage: '/mnt/store/diff', limit: '8M' });
        await again.destroy();
      },
    };
  } },
];

async function expectGone(l: Lab, data: Device): Promise<void> {
  expect(await Snapshot.collect(l.guest)).toEqual([]);
  expect(await imagesOf(l)).toEqual([]);
  const next = await l.takeSnapshot(data);
  const frozen = await data.sectorsAt(at(2), 3 * CHUNK);
  await expect(await (await next.image(data)).sectorsAt(at(2), 3 * CHUNK)).toHoldSectorsOf(frozen);
  await next.destroy();
}

const numbers: Readonly<Record<Signal, number>> = { TERM: 15, KILL: 9 };

/** Makes the call wait, sends its caller the signal, lets the call go on, and looks around. Undefined: the call did not wait. */
export async function interrupt(one: WaitingCall, signal: Signal, lab: (options?: LabOptions) => Promise<Lab>): Promise<FaultPoint | undefined> {
  const { l, argv, release, after, ...options } = await one.arrange(lab);
  const blocked = await startBlocked(l, argv, options).catch((error: unknown) => {
    if (one.mayNotWait && error instanceof NeverSleptError) return undefined;
    throw error;
  });
  if (blocked === undefined) {
    release?.();
    await after(undefined);
    return undefined;
  }
  await blocked.signal(signal);
  release?.();
  const end = await blocked.end;
  const error = signal === 'KILL' ? undefined : (JSON.parse(end.stdout) as { error: string | null }).error;
  if (signal === 'KILL') expect(end).toMatchObject({ signal: numbers.KILL, stdout: '' });
  else expect([null, 'EINTR']).toContain(error);
  await after(error);
  const verdict = error === undefined ? 'the caller is gone, and all goes on' : `${error ?? 'done'}, and all goes on`;
  return { kind: 'call', operation: one.call, point: `SIG${signal} while ${one.while}`, hit: `process that sleeps in ${blocked.where}`, verdict };
}
