/** What is done in stalled.ts while a disk does not answer. */
import { earlyImage, expect, startAio, startStuck, untilStill, type Aio, type Io, type Lab } from '../fixtures/index.js';
import { at, type Cell, type Phase, type Stall } from './stalled-phases.js';

/** Where the original is mounted, if it is. */
export const DIR = '/mnt/data';

interface Begun {
  /** It could not end as long as nothing was answered. */
  readonly isWaiting: boolean;
  /** Resolves with what came of it. */
  readonly end: () => Promise<string>;
}

export interface Meanwhile {
  readonly what: string;
  /** The original is mounted. */
  readonly mounts?: true;
  /** The other device is gone in the end. */
  readonly removes?: true;
  /** What it writes to the original. */
  readonly writes?: Required<Pick<Io, 'offset' | 'length' | 'byte'>>;
  readonly begin: (cell: Cell, stall: Stall, phase: Phase) => Promise<Begun>;
}

async function begin(l: Lab, allowed: readonly string[], script: string, ...args: readonly string[]): Promise<Begun> {
  const { command, isWaiting } = await startStuck(l, script, ...args);
  return {
    isWaiting,
    end: async () => {
      const { exitCode, stderr } = await command.result;
      const text = stderr.toString().trim();
      const answer = exitCode === 0 ? 'success' : /"error":"([A-Z]+)"/.exec(text)?.[1] ?? text;
      expect(allowed).toContain(answer);
      return answer;
    },
  };
}

/** Whether it has ended while nothing is answered. */
async function beginAio({ l }: Cell, io: Aio): Promise<Begun> {
  let isOver = false;
  const done = io.done.finally(() => { isOver = true; });
  await untilStill(l, 'blkio', done);
  return {
    isWaiting: !isOver,
    end: async () => {
      const [result] = await done;
      expect(result).toBe(4096);
      return 'done';
    },
  };
}

const again = { offset: at(3) + 8192, length: 4096, byte: 0x33 };

export const meanwhiles: readonly Meanwhile[] = [
  {
    what: 'the number of requests is changed',
    begin: ({ l }, { stuck }) => begin(l, ['success'], 'echo 64 > "/sys/block/$1/queue/nr_requests"', stuck.name),
  },
  {
    what: 'the scheduler is changed',
    begin: ({ l }, { stuck }) => begin(l, ['success'], 'echo mq-deadline > "/sys/block/$1/queue/scheduler"', stuck.name),
  },
  {
    // Of a device that a snapshot has, or had a moment ago.
    what: 'the filter is detached',
    begin: ({ l, data }) => begin(l, ['EBUSY', 'success'], 'exec blksnapctl detach "$1"', data.path),
  },
  {
    what: 'the other device is removed', removes: true,
    begin: ({ l, second }) => begin(l, ['success'], 'd=$(basename "$(readlink -f "/sys/block/$1/device")"); echo "$d" > /sys/bus/virtio/drivers/virtio_blk/unbind', second.name),
  },
  {
    what: 'the image is read',
    begin: async (cell, _stall, phase) => {
      // When it comes, within take, and when it goes, within destroy, is the module's own affair.
      const image = phase.isTaken ? await cell.image() : await earlyImage(cell.l, cell.data);
      if (!image) return { isWaiting: false, end: () => Promise.resolve('there was no image') };
      if (phase.destroys) return begin(cell.l, ['success', 'EIO', 'ENOENT', 'ENXIO', 'ENODEV'], `exec blkio read "$1" ${at(5)} 4096 --direct > /dev/null`, image.path);
      return beginAio(cell, startAio(image, [{ op: 'read', offset: at(5), length: 4096 }]));
    },
  },
  {
    what: 'the same chunk is written again', writes: again,
    begin: (cell) => beginAio(cell, startAio(cell.data, [again])),
  },
  {
    what: 'the original\'s file system is synced', mounts: true,
    begin: ({ l }) => begin(l, ['success'], `echo more > ${DIR}/more; exec sync "$1"`, `${DIR}/more`),
  },
];
