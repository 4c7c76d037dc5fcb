/** A file system that could be frozen only half way is not left frozen: programs go on writing, and the next call succeeds.
 *  Method: while the freeze waits for its last write, of the superblock, a page behind the file system is dirtied through
 *  the device's node; that page cannot be written. Or another device of the snapshot goes meanwhile.
 *  XFS, as ext4 gives up when its device's page cache has failed. */
import {
  earlyImage, expect, failNth, faultDisks, heldText, holdOpen, imagesOf, makeLinear, mountExt4, resizeLinear, startAio, startStuck, test, untilStill,
  type Device, type Lab, type Snapshot,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;

const SUPERBLOCK = { kind: 'write', sector: 0 } as const;
const BEHIND = { kind: 'write', sector: 316 * 2048, sectors: 8 } as const;

async function mountXfs(l: Lab, device: Device): Promise<void> {
  await l.sh('mkfs.xfs -q -f -d size=312m "$1"; mkdir -p /mnt/data; mount "$1" /mnt/data', device.path);
  l.defer(() => l.sh('umount /mnt/data'));
}

/** Takes, and does something while the freeze of the file system on `large` waits for its last write. Says how the take ended, and what was held. */
async function takeWith(l: Lab, snapshot: Snapshot, meanwhile: () => Promise<unknown>): Promise<{ answer: unknown; hit: string }> {
  const hold = l.programmable('large').hold(SUPERBLOCK);
  const taken = snapshot.take().then(() => 'taken', (error: unknown) => error);
  const last = await hold.next();
  await meanwhile();
  hold.close();
  last.release();
  return { answer: await taken, hit: heldText('large', last) };
}

interface Caller {
  readonly call: string;
  readonly spec: readonly string[];
  /** Resolves with what makes the call. */
  readonly arrange: (l: Lab) => Promise<() => Promise<void>>;
}

const callers: readonly Caller[] = [
  { call: 'attach', spec: ['FLT-02', 'FLT-03'], arrange: async (l) => {
    l.defer(() => l.disk('large').detach());
    return () => l.disk('large').attach();
  } },
  { call: 'detach', spec: ['FLT-02', 'FLT-03'], arrange: async (l) => {
    await l.attach(l.disk('large'));
    return () => l.disk('large').detach();
  } },
  { call: 'take', spec: ['SNP-08'], arrange: async (l) => {
    await l.attach(l.disk('large'));
    const snapshot = await l.createSnapshot();
    await snapshot.add(l.disk('large'));
    return () => snapshot.take();
  } },
];

for (const { call, spec, arrange } of callers) {
  test(`${call} that fails when the file system is frozen already leaves it running`, {
    meta: { spec },
  }, async ({ lab, faults }) => {
    const l = await lab({ disks: Object.values(faultDisks) });
    const [data, disk] = [l.disk('large'), l.programmable('large')];
    await mountXfs(l, data);
    const make = await arrange(l);
    await l.sh('echo one > /mnt/data/file; sync; sync');

    const hold = disk.hold(SUPERBLOCK);
    const made = make();
    const last = await hold.next();
    // Where there is an image by now, somebody may be reading it: udev does.
    const image = call === 'take' ? await earlyImage(l, data) : undefined;
    const reader = image && startAio(image, [{ op: 'read', offset: 0, length: 4096 }]);
    if (reader) await untilStill(l, 'blkio', reader.done);
    const fault = failNth(disk, BEHIND, 1, 'EIO');
    await data.write(BEHIND.sector * 512, new Uint8Array(4096), { direct: false });
    hold.close();
    last.release();
    await expect(made).rejects.toMatchObject({ errno: 'EIO' });
    fault.end();
    if (reader) expect([4096, 'EIO']).toContain((await reader.done)[0]);

    await l.sh('timeout 30 sh -c "echo two > /mnt/data/file; sync -f /mnt/data/file"');
    await make();
    const verdict = 'EIO, writes go on, the next call succeeds';
    faults.record({ kind: 'io', operation: 'freeze', point: `the last page before ${call}`, hit: fault.hit, verdict });
  });
}

/** A take fails as a page of this disk cannot be written back. Returns what the fault hit. */
async function failTake(l: Lab, snapshot: Snapshot, name: string): Promise<string> {
  const device = l.disk(name);
  // Who has the device open keeps the page from being written before the take.
  const opener = await holdOpen(device);
  await device.write(0, new Uint8Array(4096), { direct: false });
  const fault = failNth(l.programmable(name), { kind: 'write', sector: 0, sectors: 8 }, 1, 'EIO');
  await expect(snapshot.take()).rejects.toThrow();
  fault.end();
  await opener.close();
  return fault.hit;
}

for (const [mounted, plain] of [['data', 'second'], ['second', 'data']] as const) {
  test(`a take that cannot freeze ${plain} leaves the file system of ${mounted} running`, { meta: { spec: ['SNP-08'] } }, async ({ lab, faults }) => {
    const l = await lab({ disks: Object.values(faultDisks) });
    const other = l.disk(plain);
    await mountExt4(l, l.disk(mounted), '/mnt/data', ['-E', 'lazy_itable_init=0'], '64M');
    await l.attach(l.disk(mounted), other);
    const snapshot = await l.createSnapshot();
    await snapshot.add(l.disk(mounted), other);
    await l.sh('echo one > /mnt/data/file; sync; sync');
    const hit = await failTake(l, snapshot, plain);

    await l.sh('timeout 30 sh -c "echo two > /mnt/data/file; sync -f /mnt/data/file"');
    await snapshot.take();
    const verdict = 'refused, writes go on, the next call succeeds';
    faults.record({ kind: 'io', operation: 'freeze', point: `a page of ${plain} before take`, hit, verdict });
  });
}

test('a device that shrinks after a take that failed is taken at its new size', { meta: { spec: ['SNP-08', 'COW-10'] } }, async ({ lab, faults }) => {
  const l = await lab({ disks: Object.values(faultDisks) });
  const other = l.disk('second');
  const sized = await makeLinear(l, 'sized', l.disk('data'), 64 * MIB);
  await l.attach(sized, other);
  const snapshot = await l.createSnapshot();
  await snapshot.add(sized, other);
  const hit = await failTake(l, snapshot, 'second');

  await resizeLinear(l, 'sized', l.disk('data'), 48 * MIB);
  expect(await sized.snapshotInfo()).toMatchObject({ error: 0 });
  await snapshot.take();
  expect(await (await snapshot.image(sized)).size()).toBe(48 * MIB);
  faults.record({ kind: 'io', operation: 'freeze', point: 'a page, and then a device shrinks', hit, verdict: 'refused, the next call succeeds' });
});

test('a take that failed, and fails again as a device has gone, leaves nothing', { meta: { spec: ['SNP-08', 'SNP-05'] } }, async ({ lab, faults }) => {
  const l = await lab({ disks: Object.values(faultDisks) });
  const [data, pulled] = [l.disk('data'), l.disk('pulled')];
  await l.attach(data, pulled);
  const snapshot = await l.createSnapshot();
  await snapshot.add(data, pulled);
  const hit = await failTake(l, snapshot, 'data');

  await l.sh('echo 1 > "/sys/block/$1/device/delete"', pulled.name);
  await expect(snapshot.take()).rejects.toMatchObject({ errno: 'ENODEV' });
  expect(await imagesOf(l)).toEqual([]);
  await snapshot.destroy();
  await (await l.takeSnapshot(data)).destroy();
  faults.record({ kind: 'io', operation: 'freeze', point: 'a page, and then a device goes', hit, verdict: 'refused twice, nothing stays' });
});

/** Which of two devices comes first in a take may depend on which was made first: one comes before what goes, one after it. */
const frozenMeanwhile: Readonly<Record<string, (l: Lab) => Promise<Device>>> = {
  'a disk': async (l) => l.disk('large'),
  'a volume made later': (l) => makeLinear(l, 'later', l.disk('large'), 320 * MIB),
};

for (const [what, make] of Object.entries(frozenMeanwhile)) {
  test(`a device that goes while the file system on ${what} is being frozen fails the take, or its own image only`, { meta: { spec: ['SNP-08', 'SNP-05', 'COW-01'] } }, async ({ lab, faults }) => {
    const l = await lab({ disks: Object.values(faultDisks) });
    const [data, pulled] = [await make(l), l.disk('pulled')];
    await mountXfs(l, data);
    await l.attach(data, pulled);
    const snapshot = await l.createSnapshot();
    await snapshot.add(data, pulled);
    await l.sh('seq 100000 > /mnt/data/file; sync; sync; echo more >> /mnt/data/file');

    let removal: Promise<unknown> | undefined;
    const { answer, hit } = await takeWith(l, snapshot, async () => {
      removal = (await startStuck(l, 'echo 1 > "/sys/block/$1/device/delete"', pulled.name)).command.result;
    });
    expect(await removal).toMatchObject({ exitCode: 0 });

    let whole = snapshot;
    if (answer !== 'taken') {
      expect(answer).toMatchObject({ errno: 'ENODEV' });
      expect(await imagesOf(l)).toEqual([]);
      await snapshot.destroy();
      whole = await l.takeSnapshot(data);
    }
    // In its place, not beside it.
    await l.sh('seq 200001 300000 | dd of=/mnt/data/file conv=notrunc,fsync 2> /dev/null');
    const image = await whole.image(data);
    await l.sh('mkdir -p /mnt/image; mount -o ro,norecovery,nouuid "$1" /mnt/image; (seq 100000; echo more) | cmp - /mnt/image/file; umount /mnt/image', image.path);
    await whole.destroy();
    const verdict = answer === 'taken' ? 'taken, the image of the other is right' : 'ENODEV, nothing stays, the other is taken alone';
    faults.record({ kind: 'removal', operation: 'freeze', point: `another device goes, beside ${what}`, hit, verdict });
  });
}

for (const [what, make] of Object.entries(frozenMeanwhile)) {
  test(`a device that shrinks while the file system on ${what} is being frozen is taken at its new size, at the latest by the next call`, {
    meta: { spec: ['SNP-08', 'COW-10', 'EVT-02'] },
  }, async ({ lab, faults }) => {
    const l = await lab({ disks: Object.values(faultDisks) });
    const sized = await makeLinear(l, 'sized', l.disk('second'), 64 * MIB);
    const data = await make(l);
    await mountXfs(l, data);
    await l.attach(data, sized);
    const snapshot = await l.createSnapshot();
    await snapshot.add(data, sized);
    await l.sh('echo one > /mnt/data/file; sync; sync; echo two > /mnt/data/file');

    const { answer, hit } = await takeWith(l, snapshot, () => resizeLinear(l, 'sized', l.disk('second'), 48 * MIB));
    if (answer !== 'taken') {
      expect(answer).toMatchObject({ errno: 'EAGAIN' });
      expect(await imagesOf(l)).toEqual([]);
      expect(await sized.snapshotInfo()).toMatchObject({ error: 0 });
      await expect(snapshot.waitEvent(0), 'there was no image to be lost').rejects.toMatchObject({ errno: 'ENOENT' });
      await snapshot.take();
    }
    expect(await (await snapshot.image(sized)).size()).toBe(48 * MIB);
    await l.sh('timeout 30 sh -c "echo three > /mnt/data/file; sync -f /mnt/data/file"');
    const verdict = answer === 'taken' ? 'taken at the new size' : 'EAGAIN, the next call succeeds';
    faults.record({ kind: 'io', operation: 'freeze', point: `another device shrinks, beside ${what}`, hit, verdict });
  });
}
