/** What is written to the image stays in the image, and only there.
 *  Method: write parts of chunks to image and device in all orders; compare both with what they must hold. */
import type { Device } from '../fixtures/index.js';
import { dataDisk, expect, filledBytes, freezeData, imagesOf, largeSectorDisk, patched, storeDisk, test } from '../fixtures/index.js';

const SECTOR = 512;
const CHUNK = 256 * 1024;

/** Three sectors, none like another. */
const forImage = (offset: number, version = 2) => filledBytes(offset, 3 * SECTOR, version);
const forDevice = new Uint8Array(2 * SECTOR).fill(0xbb);

test('a part of a chunk written to the image keeps the rest of the chunk', { meta: { spec: ['IMG-03'] } }, async ({ lab }) => {
  const { data, image, frozen } = await freezeData(await lab());

  const offset = 4 * CHUNK + 5 * SECTOR;

  await image.write(offset, forImage(offset));

  await expect(await image.sectors()).toHoldSectorsOf(patched(frozen, offset, forImage(offset)));
  await expect(await data.hostSectors()).toHoldSectorsOf(frozen);
});

test('a write to the image over a border of chunks and to the last chunk', { meta: { spec: ['IMG-03'] } }, async ({ lab }) => {
  const { image, frozen } = await freezeData(await lab());

  const [border, last] = [4 * CHUNK - SECTOR, 64 * CHUNK];

  await image.write(border, forImage(border));
  await image.write(last, forImage(last));

  const expected = patched(patched(frozen, border, forImage(border)), last, forImage(last));
  await expect(await image.sectors()).toHoldSectorsOf(expected);
});

const steps = ['device', 'image', 'read'] as const;
const orders = steps.flatMap((a) => steps.flatMap((b) => steps.flatMap((c) => steps.map((d) => [a, b, c, d]))))
  .filter((order) => order.includes('image') && order.includes('device'));

test(`image and device written in turns: ${orders.length} orders of four steps`, { meta: { spec: ['IMG-03', 'COW-01'] } }, async ({ lab }) => {
  const { data, image, frozen } = await freezeData(await lab());
  let expected = frozen;

  for (const [index, order] of orders.entries()) {
    const chunk = index * CHUNK;
    for (const [step, what] of order.entries()) {
      if (what === 'device') await data.write(chunk + 2 * SECTOR, forDevice);
      if (what === 'read') await image.read(chunk, 16 * SECTOR);
      if (what === 'image') {
        const bytes = forImage(chunk + SECTOR, 2 + step);
        await image.write(chunk + SECTOR, bytes);
        expected = patched(expected, chunk + SECTOR, bytes);
      }
    }
  }
  await expect(await image.sectors()).toHoldSectorsOf(expected);
});

test('a discard of the image is refused and changes nothing, or changes only what it is for', { meta: { spec: ['IMG-03'] } }, async ({ lab }) => {
  const { data, image, frozen } = await freezeData(await lab());
  const refusal = await image.discard(0, CHUNK).then(() => undefined, (error: unknown) => error);
  if (refusal !== undefined) expect(refusal).toMatchObject({ name: 'ToolError' });
  const first = refusal === undefined ? CHUNK : 0;
  const length = await image.size() - first;
  await expect(await image.sectorsAt(first, length)).toHoldSectorsOf({ what: 'the frozen rest', sums: frozen.sums.slice(first / SECTOR) });
  await expect(await data.hostSectors()).toHoldSectorsOf(frozen);
});

test('what was written to the image is gone after destroy', { meta: { spec: ['IMG-01', 'IMG-03'] } }, async ({ lab }) => {
  const l = await lab();
  const { data, snapshot, image, frozen: before } = await freezeData(l);
  await image.write(0, forImage(0));
  await snapshot.destroy();

  expect(await imagesOf(l)).toEqual([]);
  await expect(await data.hostSectors()).toHoldSectorsOf(before);
  const again = await l.takeSnapshot(data);
  await expect(await (await again.image(data)).sectors()).toHoldSectorsOf(before);
});

test('the image has the size and the sectors of its device, and no partitions', { meta: { spec: ['IMG-01'] } }, async ({ lab }) => {
  const l = await lab({ disks: [dataDisk, largeSectorDisk, storeDisk] });
  const four = l.disk('four');
  const data = l.disk('data');
  await l.sh('printf "label: dos\\n2048,8192\\n" | sfdisk -q "$1"', data.path);
  await l.attach(data, four);
  const snapshot = await l.takeSnapshot([data, four]);
  for (const device of [data, four]) {
    const image: Device = await snapshot.image(device);
    const geometry = (path: string): Promise<string> => l.sh('blockdev --getsize64 --getss "$1"', path);
    expect(await geometry(image.path)).toBe(await geometry(device.path));
    await l.sh('blockdev --rereadpt "$1" 2>/dev/null || true; ! ls "/sys/class/block/$2"/*/partition 2>/dev/null', image.path, image.name);
  }
});

test('an image cannot be put into a snapshot itself', { meta: { spec: ['IMG-05'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  const image = await snapshot.image(data);
  const another = await l.createSnapshot({ storage: '/tmp', limit: '32M' });
  const joining = async (): Promise<void> => {
    await l.attach(image);
    await another.add(image);
  };
  await expect(joining()).rejects.toMatchObject({ name: 'ToolError' });
});
