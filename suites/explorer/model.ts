/** What there must be in the guest: devices, their maps, snapshots and images. Pure: follows the specification, and where
 *  that is silent the messages and comments of the module. Sectors. */
import { CbtModel, unitSize } from '../oracle/cbt.js';
import { Backups } from './backup.js';
import { Content } from './content.js';
import { DEVICE_SECTORS, DEVICES, errno, PARTITION, PARTITION_MAX, SECTOR, SLOTS, type Params, type Range } from './steps.js';
import type { Storage } from './storage.js';

const COUNT_MAX = 2_097_152;
const SHIFT_MAX = 26;

/** The change map of a device, from attach or a new capacity on. */
export class Tracking {
  readonly map: CbtModel;
  readonly capacity: number;
  /** The device has had another size since. */
  isStale = false;
  /** The name of each generation, as seen. */
  readonly uuids = new Map<number, string>();

  constructor(capacity: number, { blockShift }: Params) {
    this.capacity = capacity;
    this.map = new CbtModel(capacity * SECTOR, { minimumShift: blockShift, maximumCount: COUNT_MAX, maximumShift: SHIFT_MAX });
  }

  mark(range: Range): void {
    const { at, count } = within(range, this.capacity);
    this.map.mark(at * SECTOR, count * SECTOR);
  }

  markBoth(range: Range): void {
    const { at, count } = within(range, this.capacity);
    this.map.markBoth(at * SECTOR, count * SECTOR);
  }
}

/** A device's part in a snapshot. */
export class Area {
  readonly device: Device;
  readonly slot: number;
  error = 0;
  /** From take on. */
  image: Content | undefined;
  /** Below /dev; seen, not foreseen. */
  imageName = '';
  chunk = 0;
  readonly stored = new Set<number>();

  constructor(device: Device, slot: number) {
    this.device = device;
    this.slot = slot;
  }

  take({ chunkShift }: Params): void {
    this.image = this.device.content.copy(this.device.size);
    this.chunk = unitSize(this.device.size * SECTOR, { minimumShift: chunkShift, maximumCount: COUNT_MAX, maximumShift: SHIFT_MAX }) / SECTOR;
  }

  /** Chunks of the image that a range touches and that are not copied yet. */
  missing(range: Range): number[] {
    const { at, count } = within(range, this.image?.length ?? 0);
    const chunks: number[] = [];
    for (let chunk = Math.floor(at / this.chunk); count > 0 && chunk * this.chunk < at + count; chunk++) {
      if (!this.stored.has(chunk)) chunks.push(chunk);
    }
    return chunks;
  }

  chunkSectors(chunk: number): number {
    return Math.min(this.chunk, (this.image?.length ?? 0) - chunk * this.chunk);
  }
}

export class Device {
  readonly index: number;
  exists = true;
  size: number;
  /** As large as it may ever get. */
  readonly content: Content;
  tracking: Tracking | undefined;
  /** Of the tracking that it has now. */
  area: Area | undefined;

  constructor(index: number) {
    this.index = index;
    this.size = DEVICE_SECTORS[index] as number;
    this.content = Content.zeroes(index, index === PARTITION ? PARTITION_MAX : this.size);
  }
}

export interface EventModel {
  readonly device: number;
  readonly error: number;
}

export interface SnapshotModel {
  readonly slot: number;
  readonly storage: Storage;
  /** On the one block device there is for that. */
  readonly isOnBlock: boolean;
  readonly areas: Area[];
  readonly events: EventModel[];
  isTaken: boolean;
}

export class Model {
  readonly params: Params;
  readonly devices: readonly Device[] = Array.from({ length: DEVICES }, (_, index) => new Device(index));
  /** In the order of their creation. */
  readonly snapshots: SnapshotModel[] = [];
  /** Slots whose snapshot was destroyed. */
  readonly past = new Set<number>();
  /** Names of generations of all devices. */
  readonly uuids = new Set<string>();
  readonly backups = new Backups();
  #version = 0;

  constructor(params: Params) {
    this.params = params;
  }

  /** A number that no write has had. */
  nextVersion(): number {
    return ++this.#version;
  }

  device(index: number): Device {
    return this.devices[index % DEVICES] as Device;
  }

  snapshot(slot: number): SnapshotModel | undefined {
    return this.snapshots.find((one) => one.slot === slot % SLOTS);
  }

  /** The part of a device in a taken snapshot, though the device may have gone. */
  areaWithImage(slot: number, dev: number): Area | undefined {
    return this.snapshot(slot)?.areas.find(({ device, image }) => device.index === dev % DEVICES && image !== undefined);
  }

  get isHeld(): boolean {
    return this.snapshots.length > 0 || this.devices.some(({ tracking }) => tracking !== undefined);
  }

  /** The first error counts, and is told of when there was an image to lose. */
  fail(area: Area, error: number): void {
    if (area.error !== 0) return;
    area.error = error;
    if (area.image !== undefined) this.snapshot(area.slot)?.events.push({ device: area.device.index, error });
  }

  /** What comes before a change of a device: marks, and copies. False: whether the storage has been enough shows later. */
  beforeChange(device: Device, range: Range): boolean {
    device.tracking?.mark(range);
    const { area } = device;
    if (area?.image === undefined || area.error !== 0) return true;
    const storage = this.snapshot(area.slot)?.storage as Storage;
    for (const chunk of area.missing(range)) {
      const sectors = area.chunkSectors(chunk);
      const fit = storage.take(sectors);
      if (fit === 'fits') {
        area.stored.add(chunk);
        continue;
      }
      if (fit === 'either') return false;
      storage.wasFull(sectors);
      this.fail(area, errno.ENOSPC);
      return true;
    }
    return true;
  }

  /** The image is written up to where the storage is full. The answer's errno; `rest` is what may have been written all the
   *  same, if the storage was just enough. */
  writeImage(area: Area, range: Range, version: number): { errno: number; rest?: Range } {
    if (area.error !== 0) return { errno: errno.EIO };
    const storage = this.snapshot(area.slot)?.storage as Storage;
    const end = range.at + range.count;
    for (let at = range.at; at < end;) {
      const chunk = Math.floor(at / area.chunk);
      const piece = { at, count: Math.min(end, (chunk + 1) * area.chunk) - at };
      const fit = area.stored.has(chunk) ? 'fits' : storage.take(area.chunkSectors(chunk));
      if (fit !== 'fits') return { errno: errno.ENOSPC, ...(fit === 'either' ? { rest: piece } : {}) };
      this.wroteImage(area, piece, version);
      at += piece.count;
    }
    return { errno: 0 };
  }

  /** Of one chunk. */
  wroteImage(area: Area, piece: Range, version: number): void {
    area.stored.add(Math.floor(piece.at / area.chunk));
    area.device.tracking?.markBoth(piece);
    area.image?.write(piece, version);
  }

  /** Whether all the copies that these changes of devices need have place, whatever their order. */
  haveRoom(changes: readonly { readonly device: Device; readonly range: Range }[]): boolean {
    const needs = new Map<number, number>();
    for (const { device: { area }, range } of changes) {
      if (area?.image === undefined || area.error !== 0) continue;
      const need = area.missing(range).reduce((sum, chunk) => sum + Math.ceil(area.chunkSectors(chunk) / 8) * 8, 0);
      needs.set(area.slot, (needs.get(area.slot) ?? 0) + need);
    }
    return [...needs].every(([slot, need]) => {
      const storage = this.snapshot(slot)?.storage;
      return storage !== undefined && storage.usedMost + need <= storage.capacity;
    });
  }

  /** All devices at one instant, or none. */
  take(snapshot: SnapshotModel): void {
    snapshot.isTaken = true;
    for (const area of snapshot.areas) {
      const { device } = area;
      area.take(this.params);
      const old = device.tracking as Tracking;
      if (old.isStale || old.capacity !== device.size) device.tracking = new Tracking(device.size, this.params);
      else old.map.take();
    }
  }

  destroy(snapshot: SnapshotModel): void {
    this.snapshots.splice(this.snapshots.indexOf(snapshot), 1);
    this.past.add(snapshot.slot);
    for (const { device } of snapshot.areas) if (device.area?.slot === snapshot.slot) device.area = undefined;
  }

  remove(device: Device): void {
    device.exists = false;
    device.tracking = undefined;
    if (device.area !== undefined) this.fail(device.area, errno.ENODEV);
    device.area = undefined;
  }

  resize(device: Device, size: number): void {
    device.size = size;
    if (device.tracking !== undefined && size !== device.tracking.capacity) device.tracking.isStale = true;
    const { area } = device;
    if (area?.image !== undefined && size < area.image.length) this.fail(area, errno.ENXIO);
  }
}

/** The part of a range that is there. */
export function within({ at, count }: Range, capacity: number): Range {
  return { at, count: Math.max(0, Math.min(count, capacity - at)) };
}
