/** The talk before the first request: the client learns size and abilities of the disk. */
import {
  CLIENT_NO_ZEROES, formatExport, formatGreeting, formatInfos, formatOptionReply, Option, OPTION_BYTES, parseExportName,
  parseOption, Reply, WireError,
} from './wire.js';

export interface ExportFacts {
  readonly name: string;
  readonly sizeBytes: number;
  /** Every request is a multiple of it. */
  readonly blockBytes: number;
}

interface Talk {
  readonly take: (bytes: number) => Promise<Buffer | undefined>;
  readonly send: (bytes: Buffer) => void;
}

const OPTION_DATA_MAX = 8192;

/** True when requests may come; false when the client has gone, or wants another disk. Throws WireError for what is no NBD. */
export async function shakeHands({ take, send }: Talk, facts: ExportFacts): Promise<boolean> {
  send(formatGreeting());
  const flags = await take(4);
  if (!flags) return false;
  for (;;) {
    const head = await take(OPTION_BYTES);
    if (!head) return false;
    const { option, length } = parseOption(head);
    if (length > OPTION_DATA_MAX) throw new WireError(`an option with ${length} bytes`);
    const data = await take(length);
    if (!data) return false;
    switch (option) {
      case Option.exportName: {
        if (data.toString('utf8') !== facts.name) return false;
        const padding = flags.readUInt32BE(0) & CLIENT_NO_ZEROES ? 0 : 124;
        send(Buffer.concat([formatExport(facts.sizeBytes), Buffer.alloc(padding)]));
        return true;
      }
      case Option.abort:
        send(formatOptionReply(option, Reply.ack));
        return false;
      case Option.list: {
        const name = Buffer.from(facts.name, 'utf8');
        const head = Buffer.alloc(4);
        head.writeUInt32BE(name.length, 0);
        send(formatOptionReply(option, Reply.server, Buffer.concat([head, name])));
        send(formatOptionReply(option, Reply.ack));
        break;
      }
      case Option.info:
      case Option.go: {
        const name = parseExportName(data);
        if (name !== facts.name) {
          send(formatOptionReply(option, name === undefined ? Reply.invalid : Reply.unknown));
          break;
        }
        for (const info of formatInfos(facts.sizeBytes, facts.blockBytes)) send(formatOptionReply(option, Reply.info, info));
        send(formatOptionReply(option, Reply.ack));
        if (option === Option.go) return true;
        break;
      }
      default:
        send(formatOptionReply(option, Reply.unsupported));
    }
  }
}
