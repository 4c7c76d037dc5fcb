/** Steps that move data: on devices and images, one by one and at the same time. Pure. */
import { at, imageWords, words, type Call, type Names } from './calls.js';
import { parseLook } from './look.js';
import { within, type Area, type Device, type Model } from './model.js';
import { errno, errnoName, IMAGE_WRITE_MAX, type ImageReadStep, type Range, type Step, type WriteStep } from './steps.js';
import { ZERO_SUM } from './content.js';

const HEAD_WORDS = 2;

function writeLine(names: Names, device: Device, range: Range, version: number, mode: string): string {
  return `write ${at(names, device)} ${device.index} ${range.at} ${range.count} ${version} ${mode}`;
}

export function writeDevice(model: Model, names: Names, step: WriteStep): Call[] {
  const device = model.device(step.dev);
  const range = within(step, device.size);
  if (range.count === 0) return [];
  const version = model.nextVersion();
  const line = writeLine(names, device, range, version, step.mode);
  if (!device.exists) return [{ line, errno: errno.ENOENT }];
  const settle = change(model, names, device, range);
  device.content.write(range, version);
  return [{ line, errno: 0 }, ...settle];
}

/** Marks and copies. What cannot be foreseen is settled by a look: whether the last place was taken. */
function change(model: Model, names: Names, device: Device, range: Range): Call[] {
  const area = device.area;
  if (model.beforeChange(device, range) || area === undefined) return [];
  return [{
    line: `look ${at(names, device)}`, errno: 0,
    check: ({ bytes }) => {
      if (parseLook(bytes).partError !== 0) model.fail(area, errno.ENOSPC);
      else for (const chunk of area.missing(range)) area.stored.add(chunk);
      return undefined;
    },
  }];
}

/** What a discarded sector holds is the disk's choice: what it held, or zeroes. It is read and from then on must stay. */
export function erase(model: Model, names: Names, step: Extract<Step, { do: 'zero' | 'discard' }>): Call[] {
  const device = model.device(step.dev);
  const range = within(step, device.size);
  if (range.count === 0) return [];
  const path = at(names, device);
  const line = `${step.do} ${path} ${range.at} ${range.count}`;
  if (!device.exists) return [{ line, errno: errno.ENOENT }];
  const settle = change(model, names, device, range);
  if (step.do === 'zero') {
    device.content.write(range, 0);
    return [{ line, errno: 0 }, ...settle];
  }
  const adopt: Call = {
    line: `sums ${path} ${range.at} ${range.count} direct`, errno: 0,
    check: ({ bytes }) => {
      const sums = words(bytes);
      sums.forEach((sum, index) => { if (sum === ZERO_SUM) device.content.set(range.at + index, 0); });
      return device.content.wrong(`device ${device.index} after a discard`, range, sums);
    },
  };
  return [{ line, errno: 0 }, ...settle, adopt];
}

export function readImage(model: Model, step: ImageReadStep): Call[] {
  const found = findImage(model, step);
  if (found === undefined) return [];
  const { area, range } = found;
  const line = sumsLine(area, range, step.mode);
  if (area.error !== 0) return [{ line, errno: errno.EIO }];
  return [{ line, errno: 0, check: ({ bytes }) => area.image?.wrong(imageWords(area), range, words(bytes)) }];
}

const sumsLine = (area: Area, range: Range, mode: string): string => `sums ${area.imageName} ${range.at} ${range.count} ${mode}`;

function findImage(model: Model, step: Range & { readonly slot: number; readonly dev: number }): { area: Area; range: Range } | undefined {
  const area = model.areaWithImage(step.slot, step.dev);
  const range = within(step, area?.image?.length ?? 0);
  return area === undefined || range.count === 0 ? undefined : { area, range };
}

export function writeImage(model: Model, step: Extract<Step, { do: 'image-write' }>): Call[] {
  const found = findImage(model, { ...step, count: Math.min(step.count, IMAGE_WRITE_MAX) });
  if (found === undefined) return [];
  const { area, range } = found;
  const version = model.nextVersion();
  const line = `write ${area.imageName} ${area.device.index} ${range.at} ${range.count} ${version} direct`;
  const { errno: expected, rest } = model.writeImage(area, range, version);
  const answers = expected === errno.ENOSPC ? [errno.ENOSPC, errno.EIO] : [expected];
  if (rest === undefined) return [{ line, errno: answers }];
  return [{
    line, errno: [0, ...answers],
    check: (answer) => {
      if (answer.errno === 0) model.wroteImage(area, rest, version);
      return undefined;
    },
  }];
}

/** At the same time, unless the storage might be full on the way: then which copy comes too late would be anyone's guess,
 *  and they go one after the other. Of sectors that several write, it is seen which of them was last. */
export function threads(model: Model, names: Names, ops: readonly (WriteStep | ImageReadStep)[]): Call[] {
  const writes = ops.flatMap((op) => {
    if (op.do !== 'write') return [];
    const device = model.device(op.dev);
    const range = within(op, device.size);
    return device.exists && range.count > 0 ? [{ device, range, mode: op.mode }] : [];
  });
  const reads = ops.flatMap((op) => {
    const found = op.do === 'image-read' ? findImage(model, op) : undefined;
    return found === undefined || op.do !== 'image-read' ? [] : [{ ...found, mode: op.mode, errno: found.area.error === 0 ? 0 : errno.EIO }];
  });
  if (!model.haveRoom(writes)) return ops.flatMap((op) => (op.do === 'write' ? writeDevice(model, names, op) : readImage(model, op)));
  if (writes.length + reads.length === 0) return [];

  const versions = writes.map(() => model.nextVersion());
  // The kernel itself answers EIO to who syncs pages that another has written past meanwhile.
  const isMixed = (device: Device): boolean => new Set(writes.filter((one) => one.device === device).map(({ mode }) => mode)).size > 1;
  const lines = [
    ...writes.map(({ device, range, mode }, index) => writeLine(names, device, range, versions[index] as number, isMixed(device) ? 'direct' : mode)),
    ...reads.map(({ area, range, mode }) => sumsLine(area, range, mode)),
  ];
  for (const { device, range } of writes) model.beforeChange(device, range);
  const all: Call = {
    line: `threads / ${lines.join(' / ')}`, errno: 0,
    check: ({ bytes }) => {
      const seen = words(bytes);
      let place = 0;
      const next = () => {
        const [number = 0, count = 0] = seen.subarray(place, place + HEAD_WORDS);
        const sums = seen.subarray(place + HEAD_WORDS, place + HEAD_WORDS + count);
        place += HEAD_WORDS + count;
        return { number, sums };
      };
      const wrongWrites = writes.map(() => next().number).filter((number) => number !== 0).map((number) => `a write ended with ${errnoName(number)}`);
      const wrongReads = reads.map(({ area, range, errno: must }) => {
        const { number, sums } = next();
        if (number !== must) return `reading ${imageWords(area)} ended with ${errnoName(number)}, not ${errnoName(must)}`;
        return must === 0 ? area.image?.wrong(imageWords(area), range, sums) : undefined;
      });
      return [...wrongWrites, ...wrongReads].find((one) => one !== undefined);
    },
  };
  return [all, ...writes.map(({ device, range }) => adoptLast(names, device, range, writes.map((one, index) => ({ ...one, version: versions[index] as number }))))];
}

function adoptLast(names: Names, device: Device, range: Range, writes: readonly { device: Device; range: Range; version: number }[]): Call {
  return {
    line: `sums ${at(names, device)} ${range.at} ${range.count} direct`, errno: 0,
    check: ({ bytes }) => {
      const sums = words(bytes);
      sums.forEach((sum, index) => {
        const sector = range.at + index;
        const last = writes.find((one) => one.device === device && sector >= one.range.at &&
          sector < one.range.at + one.range.count && device.content.sum(sector, one.version) === sum);
        if (last !== undefined) device.content.set(sector, last.version);
      });
      const stale = [...sums.keys()].find((index) => !writes.some(({ version }) => version === device.content.version(range.at + index)));
      return stale === undefined ? device.content.wrong(`device ${device.index} after writes`, range, sums) :
        `device ${device.index}: sector ${range.at + stale} holds what none of the writers wrote`;
    },
  };
}
