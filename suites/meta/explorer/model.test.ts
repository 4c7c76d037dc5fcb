/** The explorer's model: what must be true after steps, worked out by hand here. */
import { expect, test } from 'vitest';
import type { Call, Names } from '../../explorer/calls.js';
import { Backups } from '../../explorer/backup.js';
import { Model } from '../../explorer/model.js';
import { perform } from '../../explorer/perform.js';
import { DEVICE_SECTORS, errno, PARTITION, type Params, type Step } from '../../explorer/steps.js';
import { Storage } from '../../explorer/storage.js';

const params: Params = { chunkShift: 14, blockShift: 13, portion: 64 };
const names: Names = {
  devices: ['/dev/a', '/dev/b', '/dev/c1'].map((path, minor) => ({ path, disk: '/dev/c', numbers: [8, minor] })), store: '/dev/s', folder: '/f', module: '/m.ko',
};
const create = (slot: number, limit = 12_288): Step => ({ do: 'create', slot, storage: 'block', limit, room: 8 });
const write = (dev: number, at: number, count: number): Step => ({ do: 'write', dev, at, count, mode: 'direct' });
const held = (slot: number, dev: number, limit?: number): Step[] => [{ do: 'attach', dev }, create(slot, limit), { do: 'add', slot, dev }, { do: 'take', slot }];

function run(steps: readonly Step[], model = new Model(params)): { model: Model; calls: Call[][]; errnos: unknown[] } {
  const calls = steps.map((step) => perform(model, names, step));
  return { model, calls, errnos: calls.map((one) => one[0]?.errno) };
}

test('wrong orders and ids get the errors of the specification and change nothing', () => {
  const steps: Step[] = [
    { do: 'take', slot: 0 }, { do: 'destroy', slot: 0 }, { do: 'detach', dev: 0 }, { do: 'add', slot: 0, dev: 0 }, { do: 'attach', dev: 0 },
    { do: 'attach', dev: 0 }, { do: 'add', slot: 0, dev: 0 }, create(0), { do: 'take', slot: 0 }, { do: 'add', slot: 0, dev: 0 },
    { do: 'add', slot: 0, dev: 0 }, { do: 'detach', dev: 0 }, create(1), { do: 'take', slot: 0 }, { do: 'take', slot: 0 },
    { do: 'attach', dev: 1 }, { do: 'add', slot: 0, dev: 1 }, { do: 'event', slot: 0 }, { do: 'reload' }, { do: 'destroy', slot: 0 },
  ];
  expect(run(steps).errnos).toEqual([
    errno.ESRCH, errno.ESRCH, errno.ENOENT, errno.ENOENT, 0, errno.EALREADY, errno.ESRCH, 0, errno.ENODEV, 0,
    errno.EALREADY, errno.EBUSY, errno.EBUSY, 0, errno.EALREADY, 0, [errno.EBUSY, errno.EALREADY, errno.EINVAL], errno.ENOENT, errno.EAGAIN, 0,
  ]);
});

test('each written block is marked with the number of now, and shows in the map that the next take freezes', () => {
  const { model } = run([...held(0, 0), write(0, 15, 2), { do: 'destroy', slot: 0 }]);
  expect([...model.device(0).tracking?.map.frozen ?? []].some(Boolean)).toBe(false);
  run([create(0), { do: 'add', slot: 0, dev: 0 }, { do: 'take', slot: 0 }], model);
  expect([...model.device(0).tracking?.map.frozen ?? []].slice(0, 4)).toEqual([2, 2, 0, 0]);
});

test('an image keeps what was there at the cut, and what is written to it marks both maps', () => {
  const { model } = run([...held(0, 0), write(0, 0, 8), { do: 'image-write', slot: 0, dev: 0, at: 100, count: 1 }]);
  const area = model.areaWithImage(0, 0);
  expect([area?.image?.version(0), area?.image?.version(100), model.device(0).content.version(0), model.device(0).content.version(100)]).toEqual([0, 2, 1, 0]);
  expect([...area?.stored ?? []]).toEqual([0, 3]);
  expect(model.device(0).tracking?.map.frozen[6]).toBe(2);
});

test('a storage that is full loses the image of the writer alone, and raises one event', () => {
  const { model } = run([
    { do: 'attach', dev: 0 }, { do: 'attach', dev: 1 }, create(0, 64), { do: 'add', slot: 0, dev: 0 }, { do: 'add', slot: 0, dev: 1 },
    { do: 'take', slot: 0 }, write(0, 0, 64), write(1, 0, 1), write(1, 999, 1),
  ]);
  expect([model.areaWithImage(0, 0)?.error, model.areaWithImage(0, 1)?.error]).toEqual([0, errno.ENOSPC]);
  expect(model.snapshot(0)?.events).toEqual([{ device: 1, error: errno.ENOSPC }]);
});

test('an image that is written while the storage is full keeps what it is, and says ENOSPC', () => {
  const { model, errnos } = run([...held(0, 0, 32), write(0, 0, 1), { do: 'image-write', slot: 0, dev: 0, at: 31, count: 2 }]);
  expect(errnos.at(-1)).toEqual([errno.ENOSPC, errno.EIO]);
  expect([model.areaWithImage(0, 0)?.error, model.areaWithImage(0, 0)?.image?.version(31), model.areaWithImage(0, 0)?.image?.version(32)]).toEqual([0, 2, 0]);
});

test('a partition that goes takes its image along; when it comes back it is nobody\'s', () => {
  const { model, errnos } = run([...held(0, PARTITION), { do: 'remove' }, { do: 'attach', dev: PARTITION }, { do: 'return' }, { do: 'attach', dev: PARTITION }]);
  expect(errnos.slice(4)).toEqual([0, errno.ENOENT, 0, 0]);
  expect([model.areaWithImage(0, PARTITION)?.error, model.device(PARTITION).area]).toEqual([errno.ENODEV, undefined]);
});

test('another size: a new generation at the next take; a smaller one loses the image', () => {
  const { model } = run([...held(0, PARTITION), { do: 'resize', size: 3001 }]);
  expect(model.areaWithImage(0, PARTITION)?.error).toBe(0);
  run([{ do: 'resize', size: 1001 }, { do: 'destroy', slot: 0 }, create(1), { do: 'add', slot: 1, dev: PARTITION }], model);
  const before = model.device(PARTITION).tracking;
  run([{ do: 'take', slot: 1 }], model);
  expect(model.device(PARTITION).tracking).not.toBe(before);
  expect(model.device(PARTITION).tracking?.map.takenNumber).toBe(0);
});

test('ranges that do not fit mark nothing at all', () => {
  const { model, errnos } = run([{ do: 'attach', dev: 0 }, { do: 'mark', dev: 0, ranges: [{ at: 0, count: 1 }, { at: DEVICE_SECTORS[0] as number, count: 1 }] }]);
  expect(errnos.at(-1)).toEqual([errno.EINVAL, errno.ERANGE]);
  expect([...model.device(0).tracking?.map.frozen ?? []].some(Boolean)).toBe(false);
});

test.for([
  [{ storage: 'block', limit: 100, room: 0 }, 100], [{ storage: 'ext4', limit: 100, room: 0 }, 100],
  [{ storage: 'tmpfs', limit: 200, room: 64 }, 128], [{ storage: 'tmpfs', limit: 100, room: 64 }, 100], [{ storage: 'tmpfs', limit: 100, room: 8 }, 0],
] as const)('a storage grows portion by portion as far as it can: %o has %i sectors', ([given, capacity]) => {
  expect(new Storage(given, 64).capacity).toBe(capacity);
});

test('a place is whole pages, and what was full may or may not have room for the last small one', () => {
  const storage = new Storage({ storage: 'block', limit: 40, room: 0 }, 64);
  expect([storage.take(3), storage.take(32), storage.take(8)]).toEqual(['fits', 'fits', 'full']);
  const other = new Storage({ storage: 'block', limit: 40, room: 0 }, 64);
  other.wasFull(32);
  expect([other.take(32), other.take(3)]).toEqual(['full', 'either']);
});

test('a write that the map does not tell of makes the backup differ', () => {
  const sums = (first: number) => Uint32Array.from({ length: 32 }, (_, index) => (index === 0 ? first : 7));
  const seen = (changes: number, map: number[]) => ({ generation: 'g', blockSize: 8192, changes, map: Uint8Array.from(map) });
  const right = new Backups();
  expect([right.update(0, sums(1), seen(1, [1, 1])), right.update(0, sums(2), seen(2, [2, 0]))]).toEqual([undefined, undefined]);
  const wrong = new Backups();
  wrong.update(0, sums(1), seen(1, [1, 1]));
  expect(wrong.update(0, sums(2), seen(2, [1, 2]))).toContain('sector 0');
});

test('writers at the same time do not mix the page cache with what goes past it on one device, which the kernel calls an error', () => {
  const mixed = (dev: number) => perform(new Model(params), names, { do: 'threads', ops: [write(0, 0, 8), { ...write(dev, 0, 8), mode: 'buffered' }] as never })[0]?.line;
  expect(mixed(0)).not.toContain('buffered');
  expect(mixed(1)).toContain('buffered');
});

test('the 255th snapshot begins a new generation, with nothing in the map', () => {
  const { model } = run([{ do: 'attach', dev: 0 }, { do: 'rounds', dev: 0, count: 254 }, write(0, 0, 1)]);
  expect([model.device(0).tracking?.map.takenNumber, model.device(0).tracking?.map.generation]).toEqual([254, 0]);
  run([{ do: 'rounds', dev: 0, count: 1 }], model);
  expect([model.device(0).tracking?.map.takenNumber, model.device(0).tracking?.map.generation]).toEqual([0, 1]);
  expect(model.snapshots).toEqual([]);
});
