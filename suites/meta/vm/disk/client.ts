/** The smallest NBD client: what QEMU would send, byte by byte. */
import { connect, type Socket } from 'node:net';
import { SocketReader } from '../../../../vm/disk/bytes.js';
import { OPTION_MAGIC, REQUEST_MAGIC } from '../../../../vm/disk/wire.js';

export interface ClientReply {
  readonly handle: bigint;
  readonly errno: number;
}

export class Client {
  readonly reader: SocketReader;
  readonly #socket: Socket;
  #handle = 0n;

  constructor(path: string) {
    this.#socket = connect(path);
    this.reader = new SocketReader(this.#socket);
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  async take(bytes: number): Promise<Buffer> {
    const taken = await this.reader.take(bytes);
    if (!taken) throw new Error('the server has closed the connection');
    return taken;
  }

  option(option: number, data: Uint8Array): void {
    const head = Buffer.alloc(16);
    head.writeBigUInt64BE(OPTION_MAGIC, 0);
    head.writeUInt32BE(option, 8);
    head.writeUInt32BE(data.length, 12);
    this.send(Buffer.concat([head, data]));
  }

  async optionReply(): Promise<{ reply: number; data: Buffer }> {
    const head = await this.take(20);
    return { reply: head.readUInt32BE(12), data: await this.take(head.readUInt32BE(16)) };
  }

  /** Asks for the export by name, as Option.go does, and passes over what is told of it. */
  async go(name: string): Promise<number> {
    await this.take(18);
    this.send(Buffer.from([0, 0, 0, 3]));
    this.option(7, goData(name));
    for (;;) {
      const { reply } = await this.optionReply();
      if (reply !== 3) return reply;
    }
  }

  /** Returns the handle of the request. */
  request(command: number, offset: number, length: number, options: { flags?: number; data?: Uint8Array } = {}): bigint {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt32BE(REQUEST_MAGIC, 0);
    bytes.writeUInt16BE(options.flags ?? 0, 4);
    bytes.writeUInt16BE(command, 6);
    bytes.writeBigUInt64BE(++this.#handle, 8);
    bytes.writeBigUInt64BE(BigInt(offset), 16);
    bytes.writeUInt32BE(length, 24);
    this.send(options.data ? Buffer.concat([bytes, options.data]) : bytes);
    return this.#handle;
  }

  async reply(): Promise<ClientReply> {
    const head = await this.take(16);
    return { handle: head.readBigUInt64BE(8), errno: head.readUInt32BE(4) };
  }

  close(): void {
    this.#socket.destroy();
  }
}

export function goData(name: string): Buffer {
  const data = Buffer.alloc(6 + name.length);
  data.writeUInt32BE(name.length, 0);
  data.write(name, 4);
  return data;
}
