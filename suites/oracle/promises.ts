/** What a file system has promised of files, and what of it may be seen after a crash; pure.
 *  Blocks say their version (vm/guest/tools/files.c). What was synced must be there. What was on its way may be there, wholly,
 *  in part or not at all, but never as anything else: a block holds its old version, a new one, or zeroes where none was. */

/** How a write asks for a promise: `none` asks for none. */
export type How = 'none' | 'fsync' | 'fdatasync' | 'dsync' | 'direct';

export type FileStep =
  | {
    readonly op: 'write'; readonly name: string; readonly file: number; readonly block: number; readonly count: number;
    readonly version: number; readonly how: How;
  }
  | { readonly op: 'replace'; readonly name: string; readonly file: number; readonly count: number; readonly version: number }
  | { readonly op: 'remove'; readonly name: string };

/** A step with the moments at which it was asked for, and at which its end was heard of. Nobody works on a file at the same time. */
export interface Deed {
  readonly step: FileStep;
  readonly issued: number;
  readonly done: number | undefined;
}

export interface SeenFile {
  readonly name: string;
  readonly bytes: number;
  readonly file: number;
  /** Versions; 0 for zeroes, -1 for what is not of this file and place. */
  readonly blocks: readonly number[];
}

export interface Judgement {
  /** Files that must be there. */
  readonly promised: number;
  /** Those of them that are there and right. */
  readonly there: number;
  readonly wrong: readonly string[];
}

export const BLOCK_BYTES = 4096;

interface Content {
  readonly file: number;
  /** The versions that each block may have, the latest last. */
  readonly blocks: readonly (readonly number[])[];
  /** Blocks that must be there. */
  readonly least: number;
}

/** What a name may stand for; undefined is no file. */
type Alternatives = readonly (Content | undefined)[];
type Names = Map<string, Alternatives>;

/** What is seen of a folder after a crash at the moment `until`, all that was done there being known. */
export function judge(deeds: readonly Deed[], until: number, seen: readonly SeenFile[]): Judgement {
  const names: Names = new Map();
  for (const { step, issued, done } of deeds) if (issued < until) apply(names, step, done !== undefined && done < until);
  const found = new Map(seen.map((file) => [file.name, file]));
  const wrong = seen.filter(({ name }) => !names.has(name)).map(({ name }) => `${name} is there`);
  let [promised, there] = [0, 0];
  for (const [name, alternatives] of names) {
    const file = found.get(name);
    const isRight = alternatives.some((content) => fits(content, file));
    if (!alternatives.includes(undefined)) {
      promised += 1;
      if (isRight) there += 1;
    }
    if (!isRight) wrong.push(`${name} is ${describeSeen(file)}, not ${alternatives.map(describe).join(' or ')}`);
  }
  return { promised, there, wrong };
}

function apply(names: Names, step: FileStep, isDone: boolean): void {
  const before = names.get(step.name) ?? [undefined];
  switch (step.op) {
    case 'write':
      names.set(step.name, before.flatMap((content) => written(content, step, isDone)));
      break;
    case 'replace': {
      const { file, count, version } = step;
      const now = { file, blocks: Array<number[]>(count).fill([version]), least: count };
      const onItsWay = { file, blocks: Array<number[]>(count).fill([0, version]), least: 0 };
      names.set(step.name, isDone ? [now] : [...before, now]);
      names.set(`${step.name}.new`, isDone ? [undefined] : [undefined, onItsWay]);
      break;
    }
    case 'remove':
      names.set(step.name, isDone ? [undefined] : [...before, undefined]);
      break;
  }
}

function written(before: Content | undefined, step: FileStep & { op: 'write' }, isDone: boolean): Alternatives {
  const blocks = (before?.blocks ?? []).map((versions) => [...versions]);
  const end = step.block + step.count;
  while (blocks.length < end) blocks.push([0]);
  for (let block = step.block; block < end; block++) blocks[block]?.push(step.version);
  const content = { file: step.file, blocks, least: before?.least ?? 0 };
  if (!isDone || step.how === 'none') return before ? [content] : [undefined, content];
  const isWhole = step.how === 'fsync' || step.how === 'fdatasync';
  const isPromised = (block: number): boolean => isWhole || (block >= step.block && block < end);
  return [{
    ...content,
    blocks: blocks.map((versions, block) => (isPromised(block) ? versions.slice(-1) : versions)),
    least: isWhole ? blocks.length : Math.max(content.least, end),
  }];
}

function fits(content: Content | undefined, seen: SeenFile | undefined): boolean {
  if (!content || !seen) return !content && !seen;
  if (seen.bytes % BLOCK_BYTES !== 0 || seen.blocks.length < content.least) return false;
  if (seen.blocks.some((version) => version !== 0) && seen.file !== content.file) return false;
  return seen.blocks.every((version, block) => content.blocks[block]?.includes(version));
}

function describeSeen(seen: SeenFile | undefined): string {
  return seen ? `file ${seen.file} of ${seen.bytes} bytes [${seen.blocks.join(' ')}]` : 'absent';
}

function describe(content: Content | undefined): string {
  if (!content) return 'absent';
  const blocks = content.blocks.map((versions) => versions.join('|')).join(' ');
  return `file ${content.file} of at least ${content.least} blocks of [${blocks}]`;
}
