/** Snapshots of which each stores its copies on a device that another one holds: what is stored is copied, and stored again.
 *  In a row that goes well. In a ring it is refused, or it ends: with images that are right, or lost for want of space. Never do
 *  writers wait for ever.
 *  Method: small chunks, so that memory has copies for few of them; all devices are overwritten at once. */
import {
  dataDisk, expect, filledSectors, limit, makePartitions, secondDisk, startAio, steeredLab, storeDisk, test, thirdDisk, untilStill, type Device, type Lab, type Snapshot,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;
const [params, disks] = [{ chunk_minimum_shift: 12, chunk_maximum_shift: 12 }, [dataDisk, secondDisk, thirdDisk, storeDisk]];
const extents = [{ start: MIB, length: 3 * MIB }, { start: 4 * MIB, length: 12 * MIB }] as const;

interface Member {
  readonly device: Device;
  /** Partitions of it: what is overwritten, and what another one stores on. */
  readonly data: Device;
  readonly store: Device;
}

async function makeMember(l: Lab, name: string): Promise<Member> {
  const device = l.disk(name);
  const [data, store] = await makePartitions(l, device, extents) as [Device, Device];
  await data.fill(1);
  await l.attach(device);
  return { device, data, store };
}

async function expectFrozen(snapshot: Snapshot, { device, data }: Member): Promise<void> {
  const { start, length } = extents[0];
  await expect(await (await snapshot.image(device)).sectorsAt(start, length)).toHoldSectorsOf(filledSectors(length, 1));
  await expect(await data.sectors()).toHoldSectorsOf(filledSectors(length, 2));
}

async function expectFrozenOrLost(snapshot: Snapshot, member: Member): Promise<void> {
  const isLost = async (): Promise<boolean> => (await member.device.snapshotInfo()).error_name !== null;
  // What is stored still may get lost meanwhile.
  const problem = await expectFrozen(snapshot, member).then(() => undefined, (error: unknown) => error as Error);
  if (problem && !await isLost()) throw problem;
  if (problem) await expect((await snapshot.image(member.device)).read(0, 4096)).rejects.toMatchObject({ errno: 'EIO' });
}

for (const names of [['data', 'second'], ['data', 'second', 'third']]) {
  test(`${names.length} snapshots that store on one another's devices in a ring: refused, or all that is written ends`, {
    timeout: limit(120_000), meta: { spec: ['DIF-04', 'COW-07', 'SNP-03'] },
  }, async ({ lab }) => {
    const l = await lab({ disks, params });
    const members: Member[] = [];
    for (const name of names) members.push(await makeMember(l, name));
    const taken: (readonly [Snapshot, Member])[] = [];
    for (const [at, member] of members.entries()) {
      const { store } = members[(at + 1) % members.length] as Member;
      const snapshot = await l.takeSnapshot(member.device, { storage: store.path }).catch((error: unknown) => error as Error);
      if (snapshot instanceof Error) expect(snapshot).toMatchObject({ name: 'ToolError' });
      else taken.push([snapshot, member]);
    }
    expect(taken.length).toBeGreaterThanOrEqual(members.length - 1);
    await Promise.all(members.map(({ data }) => data.fill(2)));
    await l.sh('sync');
    for (const [snapshot, member] of taken) await expectFrozenOrLost(snapshot, member);
  });
}

const inARow = 'three snapshots in a row, each stored on the device of the next: all are right, and the row may end and begin anew';

for (const order of [[0, 1, 2], [1, 0, 2], [2, 0, 1]]) test(`${inARow}, taken ${order.join(', ')}`, {
  timeout: limit(120_000), meta: { spec: ['DIF-01', 'DIF-04', 'SNP-03', 'COW-01'] },
}, async ({ lab }) => {
  const l = await lab({ disks, params });
  const [one, two, three] = [await makeMember(l, 'data'), await makeMember(l, 'second'), await makeMember(l, 'third')];
  const row = [[one, two.store], [two, three.store], [three, l.disk('store')]] as const;
  const taken: (readonly [Snapshot, Member])[] = [];
  for (const [member, store] of order.map((at) => row[at] as typeof row[number])) taken.push([await l.takeSnapshot(member.device, { storage: store.path }), member]);
  await Promise.all([one, two, three].map(({ data }) => data.fill(2)));
  for (const [snapshot, member] of taken) await expectFrozen(snapshot, member);

  // What has gone stands in nobody's way: now the last may store on the first.
  for (const [snapshot] of taken) await snapshot.destroy();
  await one.data.fill(1);
  const again = await l.takeSnapshot(three.device, { storage: one.store.path });
  await (await l.takeSnapshot(one.device, { storage: l.disk('store').path })).destroy();
  await again.destroy();
});

for (const later of ['partition', 'disk'] as const) {
  test(`a disk and a partition of it that stores on the disk, the ${later} attached later: refused, or all that is written ends`, {
    timeout: limit(120_000), meta: { spec: ['DIF-04', 'COW-07', 'SNP-09'] },
  }, async ({ lab }) => {
    const l = await steeredLab(lab, { params });
    const disk = l.disk('data');
    const [data, store] = await makePartitions(l, disk, [{ start: MIB, length: 8 * MIB }, { start: 9 * MIB, length: 40 * MIB }]) as [Device, Device];
    await data.fill(1);
    await l.attach(...(later === 'partition' ? [disk, data] : [data, disk]));
    const inner = await l.takeSnapshot(data, { storage: store.path });
    // What is written waits for copies to be stored, as there are more of them than memory holds.
    const hold = l.programmable('data').hold({ kind: 'write', sector: 9 * 2048, sectors: 40 * 2048 });
    const writer = startAio(data, [{ offset: 0, length: 4 * MIB }]);
    await untilStill(l, 'blkio', writer.done);

    const outer = await l.createSnapshot();
    const refusal = await outer.add(disk).then(() => undefined, (error: unknown) => error);
    const taken = refusal === undefined ? outer.take() : Promise.resolve();
    if (refusal !== undefined) expect(refusal).toMatchObject({ name: 'ToolError' });
    else await untilStill(l, 'blksnapctl', taken);
    hold.release();
    await taken;
    expect(await writer.done).toEqual([4 * MIB]);
    await expect(await (await inner.image(data)).sectors()).toHoldSectorsOf(filledSectors(8 * MIB, 1));
  });
}
