/** What is done to files while the power may go: each worker has its own, and asks for promises of
 *  every kind, as the seed has it. */
import type { FileStep, FileWorker, How, Rng } from '../fixtures/index.js';

const FILES = 3;
const BLOCKS_MAX = 12;
const hows: readonly How[] = ['fsync', 'fsync', 'fdatasync', 'dsync', 'direct', 'none'];

interface File {
  readonly name: string;
  readonly file: number;
  blocks: number;
}

/** Steps without end; all of the first FILES make a file of theirs. */
export function* stepsOf(worker: number, random: Rng): Generator<FileStep, never> {
  const files: File[] = [];
  let version = 0;
  let made = 0;
  const create = (): FileStep => {
    const file = { name: `w${worker}-${++made}`, file: worker * 1000 + made, blocks: 1 + random.below(3) };
    files.push(file);
    return { op: 'write', name: file.name, file: file.file, block: 0, count: file.blocks, version: ++version, how: 'fsync' };
  };
  for (;;) {
    if (files.length < FILES) {
      yield create();
      continue;
    }
    const file = random.pick(files);
    const dice = random.below(10);
    if (dice === 0) {
      files.splice(files.indexOf(file), 1);
      yield { op: 'remove', name: file.name };
    } else if (dice === 1) {
      file.blocks = 1 + random.below(3);
      yield { op: 'replace', name: file.name, file: file.file, count: file.blocks, version: ++version };
    } else {
      // From within the file, or behind its end, but not beyond.
      const block = Math.min(random.below(file.blocks + 1), BLOCKS_MAX - 3);
      const count = 1 + random.below(3);
      file.blocks = Math.max(file.blocks, block + count);
      yield { op: 'write', name: file.name, file: file.file, block, count, version: ++version, how: random.pick(hows) };
    }
  }
}

/** Works until it is told that it is enough, which is asked before each step. */
export async function workUntil(worker: FileWorker, steps: Generator<FileStep, never>, enough: () => boolean): Promise<void> {
  while (!enough()) await worker.do(steps.next().value);
}
