/** The programmable disk does to each request what the test says, and nothing else.
 *  Method: a client of a few lines in QEMU's place, on a real socket; what is on the disk is read from its file. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect } from 'vitest';
import { Moments, ProgrammableDisk } from '../../../../vm/disk/programmable.js';
import { formatRequest } from '../../../../vm/disk/request.js';
import { DiskServer } from '../../../../vm/disk/server.js';
import { Command, CommandFlag } from '../../../../vm/disk/wire.js';
import { Client } from './client.js';

const SECTOR = 512;
const SECTORS = 64;
const EIO = 5;
const ENOSPC = 28;
const bytes = (value: number, sectors = 1): Uint8Array => new Uint8Array(sectors * SECTOR).fill(value);

interface Rig {
  readonly disk: ProgrammableDisk;
  readonly server: DiskServer;
  readonly client: Client;
  readonly socket: string;
  /** First byte of each sector in the file. */
  readonly onDisk: () => Promise<number[]>;
}

const test = base.extend<{ rig: Rig }>({
  rig: async ({}, use) => {
    const dir = await mkdtemp(join(tmpdir(), 'disk-'));
    const file = join(dir, 'file');
    const socket = join(dir, 'socket');
    await writeFile(file, Buffer.alloc(SECTORS * SECTOR));
    const disk = new ProgrammableDisk('d', file, SECTORS * SECTOR, new Moments());
    const server = await DiskServer.start(disk, socket);
    const client = new Client(socket);
    expect(await client.go('d')).toBe(1);
    const onDisk = async (): Promise<number[]> => [...await readFile(file)].filter((_, at) => at % SECTOR === 0);
    await use({ disk, server, client, socket, onDisk });
    client.close();
    server.close();
    expect(existsSync(socket)).toBe(false);
    await rm(dir, { recursive: true });
  },
});

test('what is written is in the file when the client is told, and is read back', async ({ rig: { client, onDisk } }) => {
  const handle = client.request(Command.write, 2 * SECTOR, 2 * SECTOR, { data: bytes(7, 2) });
  expect(await client.reply()).toEqual({ handle, errno: 0 });
  expect((await onDisk()).slice(0, 5)).toEqual([0, 0, 7, 7, 0]);
  client.request(Command.read, SECTOR, 2 * SECTOR);
  await client.reply();
  expect([...await client.take(2 * SECTOR)].filter((_, at) => at % SECTOR === 0)).toEqual([0, 7]);
});

test('discards and zeroes clear, flushes answer, and the log has each with its flags in order', async ({ rig: { client, disk, onDisk } }) => {
  client.request(Command.write, 0, 4 * SECTOR, { data: bytes(7, 4), flags: CommandFlag.fua });
  client.request(Command.trim, 0, SECTOR);
  client.request(Command.writeZeroes, 2 * SECTOR, SECTOR);
  client.request(Command.flush, 0, 0);
  for (let n = 0; n < 4; n++) expect((await client.reply()).errno).toBe(0);
  expect((await onDisk()).slice(0, 4)).toEqual([0, 7, 0, 7]);
  expect(disk.requests().map(formatRequest)).toEqual([
    '#0 write 0+4 fua: arrived 1, applied 2, answered 3',
    '#1 discard 0+1: arrived 4, applied 5, answered 6',
    '#2 write-zeroes 2+1: arrived 7, applied 8, answered 9',
    '#3 flush: arrived 10, applied 11, answered 12',
  ]);
});

test('a held write is not on the disk, later ones pass, and it is when it is released', async ({ rig: { client, disk, onDisk } }) => {
  const hold = disk.hold({ kind: 'write', sector: 0 });
  const first = client.request(Command.write, 0, SECTOR, { data: bytes(1) });
  const held = await hold.next();
  const second = client.request(Command.write, SECTOR, SECTOR, { data: bytes(2) });
  expect((await client.reply()).handle).toBe(second);
  expect((await onDisk()).slice(0, 2)).toEqual([0, 2]);
  held.release();
  expect((await client.reply()).handle).toBe(first);
  expect((await onDisk()).slice(0, 2)).toEqual([1, 2]);
  const [one, two] = disk.requests();
  expect(one?.applied).toBeGreaterThan(two?.answered as number);
});

test('a write held at its answer is on the disk; the client hears of it later', async ({ rig: { client, disk, onDisk } }) => {
  const hold = disk.hold({ kind: 'write' }, { at: 'answer' });
  client.request(Command.write, 0, SECTOR, { data: bytes(1) });
  const held = await hold.next();
  expect((await onDisk())[0]).toBe(1);
  expect(held.request.answered).toBeUndefined();
  held.release();
  expect((await client.reply()).errno).toBe(0);
});

test('a read that is held, or applied while it is held, returns what is there at that moment', async ({ rig: { client, disk } }) => {
  const hold = disk.hold({ kind: 'read' });
  client.request(Command.read, 0, SECTOR);
  client.request(Command.read, 0, SECTOR);
  const [applied, waiting] = [await hold.next(), await hold.next()];
  applied.apply();
  client.request(Command.write, 0, SECTOR, { data: bytes(9) });
  await client.reply();
  applied.release();
  await client.reply();
  expect((await client.take(SECTOR))[0]).toBe(0);
  waiting.release();
  await client.reply();
  expect((await client.take(SECTOR))[0]).toBe(9);
});

test('a held request fails with the errno given, and a write may fail with a part of it written', async ({ rig: { client, disk, onDisk } }) => {
  const hold = disk.hold({ kind: 'write' });
  client.request(Command.write, 0, 3 * SECTOR, { data: bytes(1, 3) });
  (await hold.next()).fail('ENOSPC', 2);
  expect((await client.reply()).errno).toBe(ENOSPC);
  expect((await onDisk()).slice(0, 3)).toEqual([1, 1, 0]);
  expect(disk.requests()[0]).toMatchObject({ errno: 'ENOSPC', applied: undefined });
});

test('a forged write is not on the disk, and its client hears that it is; a read cannot be forged', async ({ rig: { client, disk, onDisk } }) => {
  const hold = disk.hold({});
  client.request(Command.write, 0, SECTOR, { data: bytes(1, 1) });
  (await hold.next()).forge();
  expect((await client.reply()).errno).toBe(0);
  expect((await onDisk()).slice(0, 1)).toEqual([0]);
  client.request(Command.read, 0, SECTOR);
  const read = await hold.next();
  expect(() => { read.forge(); }).toThrow(RangeError);
  read.release();
  await client.reply();
  expect((await client.take(SECTOR))[0]).toBe(0);
});

test('a rule fails as many requests as it says', async ({ rig: { client, disk } }) => {
  disk.fail({ kind: 'read' }, 'EIO', 1);
  client.request(Command.read, 0, SECTOR);
  expect((await client.reply()).errno).toBe(EIO);
  client.request(Command.read, 0, SECTOR);
  expect((await client.reply()).errno).toBe(0);
});

test('releasing a hold lets all go and catches no more', async ({ rig: { client, disk } }) => {
  const hold = disk.hold({ kind: 'flush' });
  const handles = [client.request(Command.flush, 0, 0), client.request(Command.flush, 0, 0)];
  await hold.next();
  await hold.next();
  hold.release();
  handles.push(client.request(Command.flush, 0, 0));
  for (const handle of handles) expect((await client.reply()).handle).toBe(handle);
});

test('after a mains failure nothing is written or answered, what was held included', async ({ rig: { client, disk, onDisk } }) => {
  const hold = disk.hold({ kind: 'write', sector: 0 });
  client.request(Command.write, 0, SECTOR, { data: bytes(1) });
  const held = await hold.next();
  disk.mainsFailure();
  held.release();
  client.request(Command.write, SECTOR, SECTOR, { data: bytes(2) });
  const late = await disk.first({ sector: 1 }, 'arrived');
  expect(await onDisk()).toEqual(Array(SECTORS).fill(0));
  expect([held.request.answered, late.answered]).toEqual([undefined, undefined]);
});

test('what reaches beyond the disk is refused', async ({ rig: { client } }) => {
  client.request(Command.write, (SECTORS - 1) * SECTOR, 2 * SECTOR, { data: bytes(1, 2) });
  expect((await client.reply()).errno).toBe(ENOSPC);
  client.request(Command.read, SECTORS * SECTOR, SECTOR);
  expect((await client.reply()).errno).toBe(22);
});

test('written data is in the log only when it is asked for', async ({ rig: { client, disk } }) => {
  client.request(Command.write, 0, SECTOR, { data: bytes(1) });
  await client.reply();
  disk.keepData = true;
  client.request(Command.write, 0, SECTOR, { data: bytes(2) });
  await client.reply();
  expect(disk.requests().map(({ data }) => data?.[0])).toEqual([undefined, 2]);
});

test('a client that sends no NBD is cut off, and the next one is served', async ({ rig: { socket } }) => {
  const rude = new Client(socket);
  await rude.take(18);
  rude.send(Buffer.alloc(64, 0x41));
  await expect(rude.take(1)).rejects.toThrow(/closed/);
  const next = new Client(socket);
  expect(await next.go('d')).toBe(1);
  next.close();
});

test('a disconnected client loses its connection', async ({ rig: { client, server } }) => {
  server.disconnect();
  await expect(client.take(1)).rejects.toThrow(/closed/);
});
