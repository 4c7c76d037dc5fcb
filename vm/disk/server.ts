/** Serves a programmable disk on a Unix socket, to one client at a time. */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { SECTOR_BYTES } from '../units.js';
import { SocketReader } from './bytes.js';
import { shakeHands } from './handshake.js';
import type { ProgrammableDisk } from './programmable.js';
import type { RequestKind } from './request.js';
import { Command, CommandFlag, formatReply, parseRequest, REQUEST_BYTES, TRANSFER_BYTES_MAX } from './wire.js';

const kinds = new Map<number, RequestKind>([
  [Command.read, 'read'], [Command.write, 'write'], [Command.flush, 'flush'], [Command.trim, 'discard'],
  [Command.writeZeroes, 'write-zeroes'],
]);

export class DiskServer {
  readonly disk: ProgrammableDisk;
  readonly #server: Server;
  readonly #path: string;
  readonly #sockets = new Set<Socket>();

  private constructor(disk: ProgrammableDisk, server: Server, path: string) {
    this.disk = disk;
    this.#server = server;
    this.#path = path;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // What is no NBD gets no answer: the client sees the connection end.
      serve(socket, disk).catch(() => undefined).finally(() => socket.destroy());
    });
  }

  /** Resolves once clients can connect to `path`, whose name is the disk's. */
  static async start(disk: ProgrammableDisk, path: string): Promise<DiskServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return new DiskServer(disk, server, path);
  }

  /** Breaks the connection: QEMU fails what is in flight and everything later. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all connections, and removes the socket. */
  close(): void {
    this.#server.close();
    this.disconnect();
    this.disk.close();
    rmSync(this.#path, { force: true });
  }
}

/** Resolves when the client has gone. */
async function serve(socket: Socket, disk: ProgrammableDisk): Promise<void> {
  const reader = new SocketReader(socket);
  const take = (bytes: number): Promise<Buffer | undefined> => reader.take(bytes);
  const send = (bytes: Buffer): void => {
    if (!socket.destroyed) socket.write(bytes);
  };
  if (!await shakeHands({ take, send }, { name: disk.name, sizeBytes: disk.sizeBytes, blockBytes: SECTOR_BYTES })) return;
  for (;;) {
    const head = await take(REQUEST_BYTES);
    if (!head) return;
    const { command, flags, handle, offset, length } = parseRequest(head);
    if (command === Command.disconnect) return;
    const hasData = command === Command.write;
    if (length > TRANSFER_BYTES_MAX && (hasData || command === Command.read)) return;
    const data = hasData ? await take(length) : undefined;
    if (hasData && !data) return;
    const kind = kinds.get(command);
    if (!kind || offset % SECTOR_BYTES !== 0 || length % SECTOR_BYTES !== 0) {
      send(formatReply(handle, 'EINVAL'));
      continue;
    }
    const fua = (flags & CommandFlag.fua) !== 0;
    try {
      disk.take({ kind, offset, length, fua, data }, (errno, read) => send(formatReply(handle, errno, read)));
    } catch (error) {
      disk.onBroken?.(error);
      return;
    }
  }
}
