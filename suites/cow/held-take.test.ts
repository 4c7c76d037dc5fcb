/** Take waits for the writes that are in flight, on every kind of device; two readings of an image never differ.
 *  Method: the disk at the bottom holds a write; take begins, and is seen to sleep on. Then the held write is let go, and the image is
 *  read twice, a write to the same place in between. */
import {
  aio, CHUNK, earlyImage, expect, makeLinear, makeLoopOver, makeMd, makePartitions, makeSteered, resizeLinear, startAio, test, untilStill, type Device, type Lab,
  type SteeredOptions,
} from '../fixtures/index.js';

const SECTOR = 512;
const MIB = 1024 * 1024;
const at = (chunk: number, sector = 0): number => chunk * CHUNK + sector * SECTOR;

const devices: readonly (readonly [what: string, options: SteeredOptions, whenAttached?: (l: Lab) => Promise<void>])[] = [
  ['a disk', {}],
  ['a partition', { make: async (l, disk) => ({ device: (await makePartitions(l, disk, [{ start: 2049 * SECTOR, length: 64 * MIB + SECTOR }]))[0] as Device }) }],
  ['a device-mapper device', { make: async (l, disk) => ({ device: await makeLinear(l, 'over', disk, 90 * MIB + SECTOR) }) }],
  ['an md linear device', { make: async (l, disk) => ({ device: await makeMd(l, 'build', ['--level=linear'], disk, l.disk('second')) }) }],
  ['a loop device', { make: async (l, disk) => ({ device: await makeLoopOver(l, disk) }) }],
  ['a device-mapper device over a loop device', {
    make: async (l, disk) => ({ device: await makeLinear(l, 'over', await makeLoopOver(l, disk), 90 * MIB + SECTOR) }),
  }],
  // It gets a new map with the take.
  ['a device that has grown', { make: async (l, disk) => ({ device: await makeLinear(l, 'sized', disk, 80 * MIB) }) }, (l) => resizeLinear(l, 'sized', l.disk('data'), 90 * MIB)],
];

for (const [what, options, whenAttached] of devices) {
  test(`take waits for a write in flight below ${what}, and its image does not change`, { meta: { spec: ['SNP-09', 'COW-01', 'FLT-13', 'CBT-05'] } }, async ({ lab }) => {
    const { l, data, disk } = await makeSteered(lab, options);
    const { generation: attachedAs } = await data.cbtInfo();
    await whenAttached?.(l);
    const snapshot = await l.createSnapshot();
    await snapshot.add(data);
    const [old, oldElsewhere] = [await data.read(at(3, 8), 4096), await data.read(at(9), 4096)];

    const hold = disk.hold({ kind: 'write' });
    const before = startAio(data, [{ offset: at(3, 8), length: 4096, byte: 0x11 }]);
    await hold.next();
    hold.close();
    await before.submitted;
    let isTaken = false;
    const take = snapshot.take().finally(() => { isTaken = true; });
    await untilStill(l, 'blksnapctl', take);
    expect(isTaken, 'taken while a write is in flight').toBe(false);
    // To the same place: from before the cut or from after it, as a module may wait first or cut first.
    const after = startAio(data, [{ offset: at(3, 8), length: 4096, byte: 0x22 }, { offset: at(9), length: 4096, byte: 0x44 }]);
    await untilStill(l, 'blkio', after.done);
    // Where there is an image by now, udev and others read it as soon as it comes.
    const early = (await earlyImage(l, data))?.read(at(3, 8), 4096);
    if (early) await untilStill(l, 'blkio', early);

    hold.release();
    await take;
    expect(await before.done).toEqual([4096]);
    const image = await snapshot.image(data);
    const first = await image.sectorsAt(at(2), 3 * CHUNK);
    expect(await after.done).toEqual([4096, 4096]);
    const written = [Buffer.alloc(4096, 0x11), Buffer.alloc(4096, 0x22)];
    expect(written).toContainEqual(await data.read(at(3, 8), 4096));
    await aio(data, [{ offset: at(3), length: CHUNK, byte: 0x33 }]);
    await expect(await image.sectorsAt(at(2), 3 * CHUNK)).toHoldSectorsOf(first);
    // Of a write the image has all and so does the map, or neither has any.
    const { block_size: block, generation } = await data.cbtInfo();
    const isMarked = async (offset: number): Promise<boolean> => (await data.cbtMap(Math.floor(offset / block), 1))[0] !== 0;
    const frozen = await image.read(at(3, 8), 4096);
    // Of a new generation all is new.
    if (generation === attachedAs) {
      expect(await isMarked(at(3, 8)) ? written : [old]).toContainEqual(frozen);
      expect(await image.read(at(9), 4096)).toEqual(await isMarked(at(9)) ? Buffer.alloc(4096, 0x44) : oldElsewhere);
    }
    if (early) expect(await early, 'what was read before take had ended').toEqual(frozen);
  });
}
