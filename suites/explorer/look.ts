/** What is looked at after each step, and what a check reads. Pure. */
import { at, imageWords, words, type Answer, type Call, type Names } from './calls.js';
import type { SeenMap } from './backup.js';
import type { Area, Device, Model } from './model.js';
import { errno, errnoName, SECTOR } from './steps.js';

/** The answer to `look`: see do_look() in vm/guest/tools/actor.c. */
export interface Seen extends SeenMap {
  readonly infoErrno: number;
  readonly capacity: number;
  readonly blockCount: number;
  readonly partErrno: number;
  readonly partError: number;
  readonly imageName: string;
  readonly mapErrno: number;
}

export function parseLook(bytes: Buffer): Seen {
  const info = bytes.subarray(4, 44);
  const part = bytes.subarray(48, 84);
  return {
    infoErrno: bytes.readUInt32LE(0),
    capacity: Number(info.readBigUInt64LE(0)),
    blockSize: info.readUInt32LE(8),
    blockCount: info.readUInt32LE(12),
    generation: info.subarray(16, 32).toString('hex'),
    changes: info.readUInt8(32),
    partErrno: bytes.readUInt32LE(44),
    partError: part.readInt32LE(0),
    imageName: part.subarray(4).toString('latin1').replace(/\0.*$/s, ''),
    mapErrno: bytes.readUInt32LE(84),
    map: bytes.subarray(88),
  };
}

/** After each step, of each device that is there: its map as a whole, and its part in a snapshot. */
export function lookAll(model: Model, names: Names): Call[] {
  return model.devices.filter(({ exists }) => exists).map((device) => look(model, names, device));
}

function look(model: Model, names: Names, device: Device): Call {
  return { line: `look ${at(names, device)}`, errno: 0, check: ({ bytes }) => wrongLook(model, device, parseLook(bytes)) };
}

function wrongLook(model: Model, device: Device, seen: Seen): string | undefined {
  const who = `device ${device.index}`;
  const { tracking, area } = device;
  const tell = (what: string, is: number | string, must: number | string) => (is === must ? undefined : `${who}: ${what} is ${is}, not ${must}`);
  const tellErrno = (what: string, is: number, must: number) => tell(what, errnoName(is), errnoName(must));
  if (tracking === undefined) {
    return tellErrno('cbtinfo', seen.infoErrno, errno.ENOENT) ?? tellErrno('snapshotinfo', seen.partErrno, errno.ENOENT) ??
      tellErrno('cbtmap', seen.mapErrno, errno.ENOENT);
  }
  const { map } = tracking;
  const name = tracking.uuids.get(map.generation);
  if (name === undefined) {
    if (model.uuids.has(seen.generation)) return `${who}: the generation has a name that another had`;
    tracking.uuids.set(map.generation, seen.generation);
    model.uuids.add(seen.generation);
  }
  return tellErrno('cbtinfo', seen.infoErrno, 0) ?? tell('the capacity of the map', seen.capacity, tracking.capacity * SECTOR) ??
    tell('the size of a block', seen.blockSize, map.blockSize) ?? tell('the number of blocks', seen.blockCount, map.blockCount) ??
    tell('the name of the generation', seen.generation, name ?? seen.generation) ??
    tell('the number of changes', seen.changes, map.takenNumber) ??
    tellErrno('cbtmap', seen.mapErrno, 0) ?? wrongMap(who, seen.map, map.frozen) ?? wrongPart(tellErrno, tell, area, seen);
}

type Tell = (what: string, is: number, must: number) => string | undefined;

function wrongPart(tellErrno: Tell, tell: (what: string, is: string, must: string) => string | undefined, area: Area | undefined, seen: Seen): string | undefined {
  if (area === undefined) return seen.partErrno === 0 && seen.imageName !== '' ? tell('the image of a device in no snapshot', seen.imageName, '') : undefined;
  return tellErrno('snapshotinfo', seen.partErrno, 0) ?? tellErrno('the error of the image', -seen.partError, area.error) ??
    tell('the name of the image', seen.imageName === '' ? '' : `/dev/${seen.imageName}`, area.imageName);
}

function wrongMap(who: string, seen: Uint8Array, expected: Uint8Array): string | undefined {
  if (seen.length !== expected.length) return `${who}: ${seen.length} blocks in the map, not ${expected.length}`;
  const bad = [...expected.keys()].filter((block) => seen[block] !== expected[block]);
  const first = bad[0];
  if (first === undefined) return undefined;
  const more = bad.length > 1 ? `, and ${bad.length - 1} more blocks differ` : '';
  return `${who}: block ${first} of the frozen map is ${seen[first]}, not ${expected[first]}${more}`;
}

/** Reads every sector of every device and image, and keeps a backup by the maps. */
export function checkAll(model: Model, names: Names): Call[] {
  const devices = model.devices.filter(({ exists }) => exists).map((device): Call => ({
    line: `sums ${at(names, device)} 0 0 direct`, errno: 0,
    check: ({ bytes }) => device.content.wrong(`device ${device.index}`, { at: 0, count: device.size }, words(bytes)),
  }));
  return [...devices, ...model.snapshots.flatMap(({ areas }) => areas.flatMap((area) => checkImage(model, names, area)))];
}

function checkImage(model: Model, names: Names, area: Area): Call[] {
  const { image, device } = area;
  if (image === undefined) return [];
  const line = `sums ${area.imageName} 0 0 direct`;
  if (area.error !== 0) return [{ line, errno: errno.EIO }];
  let sums: Uint32Array = new Uint32Array(0);
  const read = ({ bytes }: Answer) => {
    sums = words(bytes);
    return image.wrong(imageWords(area), { at: 0, count: image.length }, sums);
  };
  const backUp = ({ bytes }: Answer) => model.backups.update(device.index, sums, parseLook(bytes));
  return [{ line, errno: 0, check: read }, { line: `look ${at(names, device)}`, errno: 0, check: backUp }];
}
