/** A step on the model: the lines for the actor, what it must answer, and the state behind it. Pure. */
import { erase, readImage, threads, writeDevice, writeImage } from './data-steps.js';
import { at, DISK, IMAGE_FOLDER, type Call, type Names } from './calls.js';
import { checkAll } from './look.js';
import { Area, Tracking, within, type Model } from './model.js';
import { DEVICE_SECTORS, DEVICES, errno, PARTITION, PARTITION_MAX, ROOM_MAX, SLOTS, type CreateStep, type Step } from './steps.js';
import { Storage } from './storage.js';

/** No call at all: nothing of what the step is about is there. */
export function perform(model: Model, names: Names, step: Step): Call[] {
  switch (step.do) {
    case 'write': return writeDevice(model, names, step);
    case 'zero':
    case 'discard': return erase(model, names, step);
    case 'threads': return threads(model, names, step.ops);
    case 'image-read': return readImage(model, step);
    case 'image-write': return writeImage(model, step);
    case 'attach': return attach(model, names, step.dev);
    case 'detach': return detach(model, names, step.dev);
    case 'create': return create(model, names, step);
    case 'add': return add(model, names, step.slot, step.dev);
    case 'take': return take(model, names, step.slot);
    case 'destroy': return destroy(model, step.slot);
    case 'event': return event(model, names, step.slot);
    case 'collect': return collect(model, step.room);
    case 'map': return readMap(model, names, step);
    case 'mark': return mark(model, names, step);
    case 'remove': return remove(model, names);
    case 'return': return comeBack(model, names);
    case 'resize': return resize(model, names, step.size);
    case 'reload': return reload(model, names);
    case 'rounds': return rounds(model, names, step.dev, step.count);
    case 'check': return checkAll(model, names);
  }
}

function attach(model: Model, names: Names, dev: number): Call[] {
  const device = model.device(dev);
  const line = `attach ${at(names, device)}`;
  if (!device.exists) return [{ line, errno: errno.ENOENT }];
  if (device.tracking !== undefined) return [{ line, errno: errno.EALREADY }];
  device.tracking = new Tracking(device.size, model.params);
  return [{ line, errno: 0 }];
}

function detach(model: Model, names: Names, dev: number): Call[] {
  const device = model.device(dev);
  const line = `detach ${at(names, device)}`;
  if (device.tracking === undefined) return [{ line, errno: errno.ENOENT }];
  if (device.area !== undefined) return [{ line, errno: errno.EBUSY }];
  device.tracking = undefined;
  return [{ line, errno: 0 }];
}

function create(model: Model, names: Names, step: CreateStep): Call[] {
  const slot = step.slot % SLOTS;
  if (model.snapshot(slot) !== undefined) return [];
  const where = { block: names.store, tmpfs: `${step.room}`, ext4: names.folder }[step.storage];
  const line = `create ${slot} ${step.limit} ${step.storage} ${where}`;
  const isOnBlock = step.storage === 'block';
  if (isOnBlock && model.snapshots.some((one) => one.isOnBlock)) return [{ line, errno: errno.EBUSY }];
  if (step.limit === 0) return [{ line, errno: errno.EINVAL }];
  const storage = new Storage(step, model.params.portion);
  if (storage.capacity === 0) return [{ line, errno: errno.ENOSPC }];
  model.snapshots.push({ slot, storage, isOnBlock, areas: [], events: [], isTaken: false });
  return [{ line, errno: 0 }];
}

function add(model: Model, names: Names, slot: number, dev: number): Call[] {
  const device = model.device(dev);
  const snapshot = model.snapshot(slot);
  const line = `add ${slot % SLOTS} ${at(names, device)}`;
  if (device.tracking === undefined) return [{ line, errno: errno.ENOENT }];
  if (snapshot === undefined) return [{ line, errno: errno.ESRCH }];
  if (device.area !== undefined) return [{ line, errno: device.area.slot === snapshot.slot ? errno.EALREADY : errno.EBUSY }];
  if (snapshot.isTaken) return [{ line, errno: [errno.EBUSY, errno.EALREADY, errno.EINVAL] }];
  device.area = new Area(device, snapshot.slot);
  snapshot.areas.push(device.area);
  return [{ line, errno: 0 }];
}

function take(model: Model, names: Names, slot: number): Call[] {
  const snapshot = model.snapshot(slot);
  const line = `take ${slot % SLOTS}`;
  if (snapshot === undefined) return [{ line, errno: errno.ESRCH }];
  if (snapshot.isTaken) return [{ line, errno: errno.EALREADY }];
  if (snapshot.areas.length === 0 || snapshot.areas.some(({ error }) => error !== 0)) return [{ line, errno: errno.ENODEV }];
  model.take(snapshot);
  const learn = snapshot.areas.map((area): Call => ({
    line: `look ${at(names, area.device)}`, errno: 0,
    check: ({ bytes }) => {
      const name = bytes.subarray(52, 84).toString('latin1').replace(/\0.*$/s, '');
      area.imageName = `${IMAGE_FOLDER}${name}`;
      return name === '' ? `device ${area.device.index} has no image` : undefined;
    },
  }));
  return [{ line, errno: 0 }, ...learn];
}

function destroy(model: Model, slot: number): Call[] {
  const snapshot = model.snapshot(slot);
  if (snapshot !== undefined) model.destroy(snapshot);
  return [{ line: `destroy ${slot % SLOTS}`, errno: snapshot === undefined ? errno.ESRCH : 0 }];
}

function event(model: Model, names: Names, slot: number): Call[] {
  const snapshot = model.snapshot(slot);
  const line = `event ${slot % SLOTS}`;
  if (snapshot === undefined) return [{ line, errno: errno.ESRCH }];
  const next = snapshot.events.shift();
  if (next === undefined) return [{ line, errno: errno.ENOENT }];
  const expected = [...names.devices[next.device]?.numbers ?? [], -next.error, 0];
  return [{
    line, errno: 0,
    check: ({ bytes }) => {
      const seen = [0, 4, 8, 12].map((offset) => bytes.readInt32LE(offset));
      return String(seen) === String(expected) ? undefined : `an event of ${String(seen)}, not of ${String(expected)} (major, minor, error, code)`;
    },
  }];
}

function collect(model: Model, asked: number): Call[] {
  const room = asked % (ROOM_MAX + 1);
  const slots = model.snapshots.map(({ slot }) => slot);
  const isEnough = room >= slots.length;
  return [{
    line: `collect ${room}`, errno: isEnough ? 0 : errno.ENODATA,
    check: ({ result, bytes }) => {
      if (result !== slots.length) return `${result} snapshots, not ${slots.length}`;
      const expected = isEnough ? [...slots].sort() : [];
      return String([...bytes].sort()) === String(expected) ? undefined : `snapshots ${String([...bytes])}, not ${String(expected)}`;
    },
  }];
}

function readMap(model: Model, names: Names, { dev, offset, length }: Extract<Step, { do: 'map' }>): Call[] {
  const device = model.device(dev);
  const line = `map ${at(names, device)} ${offset} ${length}`;
  if (device.tracking === undefined) return [{ line, errno: errno.ENOENT }];
  const expected = device.tracking.map.frozen.subarray(offset, offset + length);
  return [{
    line, errno: 0,
    check: ({ result, bytes }) => {
      if (result !== expected.length) return `${result} bytes of the map, not ${expected.length}`;
      return Buffer.compare(bytes, expected) === 0 ? undefined : `the map from ${offset} on differs`;
    },
  }];
}

function mark(model: Model, names: Names, { dev, ranges }: Extract<Step, { do: 'mark' }>): Call[] {
  const device = model.device(dev);
  const line = `mark ${at(names, device)} ${ranges.map((one) => `${one.at} ${one.count}`).join(' ')}`;
  if (ranges.length === 0) return [];
  if (device.tracking === undefined) return [{ line, errno: errno.ENOENT }];
  const isValid = ranges.every((range) => range.count > 0 && within(range, device.size).count === range.count);
  if (!isValid) return [{ line, errno: [errno.EINVAL, errno.ERANGE] }];
  for (const range of ranges) device.tracking.markBoth(range);
  return [{ line, errno: 0 }];
}

const disk = (names: Names): string => names.devices[PARTITION]?.disk ?? '';

function remove(model: Model, names: Names): Call[] {
  const device = model.device(PARTITION);
  const line = `part ${disk(names)} del 0 0`;
  if (!device.exists) return [{ line, errno: errno.ENXIO }];
  model.remove(device);
  return [{ line, errno: 0 }];
}

/** As large as it was at first. */
function comeBack(model: Model, names: Names): Call[] {
  const device = model.device(PARTITION);
  const size = DEVICE_SECTORS[PARTITION] as number;
  const line = `part ${disk(names)} add ${DISK.start} ${size}`;
  if (device.exists) return [{ line, errno: errno.EBUSY }];
  device.exists = true;
  device.size = size;
  return [{ line, errno: 0 }];
}

function resize(model: Model, names: Names, asked: number): Call[] {
  const device = model.device(PARTITION);
  const size = Math.min(asked, PARTITION_MAX) | 1;
  const line = `part ${disk(names)} resize ${DISK.start} ${size}`;
  if (!device.exists) return [{ line, errno: errno.ENXIO }];
  model.resize(device, size);
  return [{ line, errno: 0 }];
}

function reload(model: Model, names: Names): Call[] {
  if (model.isHeld) return [{ line: 'unload now', errno: errno.EAGAIN }];
  return [{ line: 'unload wait', errno: 0 }, { line: loadLine(model, names), errno: 0 }];
}

export function loadLine({ params }: Model, names: Names): string {
  const { chunkShift, blockShift, portion } = params;
  return `load ${names.module} chunk_minimum_shift=${chunkShift} tracking_block_minimum_shift=${blockShift} diff_storage_minimum=${portion}`;
}

function rounds(model: Model, names: Names, dev: number, count: number): Call[] {
  const { tracking, area } = model.device(dev);
  const slot = Array.from({ length: SLOTS }, (_, one) => one).find((one) => model.snapshot(one) === undefined);
  if (tracking === undefined || area !== undefined || slot === undefined) return [];
  return Array.from({ length: count }, () => [
    ...create(model, names, { do: 'create', slot, storage: 'tmpfs', limit: 8, room: 8 }),
    ...add(model, names, slot, dev), ...take(model, names, slot), ...destroy(model, slot),
  ]).flat();
}

/** From whatever a guest is in where the module is not loaded to where the model begins. */
export function begin(model: Model, names: Names): Call[] {
  const fill = model.devices.map((device): Call => {
    const version = model.nextVersion();
    device.content.write({ at: 0, count: device.size }, version);
    return { line: `write ${at(names, device)} ${device.index} 0 ${device.size} ${version} direct`, errno: 0 };
  });
  const size = DEVICE_SECTORS[PARTITION] as number;
  return [
    { line: 'forget', errno: 0 },
    { line: `zero ${disk(names)} ${DISK.start + size} ${PARTITION_MAX - size}`, errno: 0 },
    { line: `part ${disk(names)} add ${DISK.start} ${size}`, errno: 0 },
    ...fill, { line: loadLine(model, names), errno: 0 },
  ];
}

/** Back to there: each snapshot, filter and partition goes, and then the module, which nobody may keep. */
export function end(model: Model, names: Names): Call[] {
  const calls = [
    ...[...model.snapshots].flatMap(({ slot }) => destroy(model, slot)),
    ...Array.from({ length: DEVICES }, (_, dev) => dev).filter((dev) => model.device(dev).tracking !== undefined)
      .flatMap((dev) => detach(model, names, dev)),
  ];
  const rest = model.device(PARTITION).exists ? remove(model, names) : [];
  return [...calls, ...collect(model, ROOM_MAX), ...rest, { line: 'unload wait', errno: 0 }];
}
