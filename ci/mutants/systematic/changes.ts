/** Every small change of a C source that a slip of the hand could make: one operator for another, a line left out, an error
 *  forgotten. Only inside functions of kernel style, and only such as are likely to compile. Pure. */
import { readFunctions, type CFunction, type Statement } from '../../reach/statements.js';

export interface Change {
  /** Offsets in the text: what is between them is replaced. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Such as `< becomes <=`; with the code of the line it names the change for good. */
  readonly what: string;
  /** From 1. */
  readonly line: number;
  /** The line without its indentation. */
  readonly code: string;
  /** Of which the name stands before the brace in column 0. */
  readonly function: string;
}

type Raw = Pick<Change, 'start' | 'end' | 'text' | 'what'>;

/** Kernel style puts spaces around these, and around no pointer. */
const operators: Readonly<Record<string, string>> = {
  '<': '<=', '<=': '<', '>': '>=', '>=': '>', '==': '!=', '!=': '==', '&&': '||', '||': '&&', '+': '-', '-': '+',
};
const words: Readonly<Record<string, string>> = { true: 'false', false: 'true' };

/** What the beginning of a statement is when it declares something: leaving it out would not compile. */
const types = [
  'const', 'static', 'struct', 'unsigned', 'enum', 'union', 'u8', 'u16', 'u32', 'u64', 'int', 'long', 'bool', 'char', 'void', 'loff_t', 'sector_t',
  'size_t', 'ssize_t', 'gfp_t', 'dev_t', 'blk_status_t', 'uuid_t', 'mempool_t', 'atomic_long_t', 'errseq_t',
];
const declares = new RegExp(`^(?:(?:${types.join('|')})\\b|[A-Z][A-Z_]+\\()`);
/** Leaving these out does not compile, or says nothing that a dropped condition does not say. */
const isControl = /^(?:return|goto|break|continue|if|else|for|while|do|switch|case|default|list_for_each\w*|hash_for_each\w*|xa_for_each\w*|__?bio_for_each\w*|bio_for_each\w*)\b/;
/** Checks that are none of the code's work. */
const isIdle = /^(?:lockdep_assert_held|pr_(?:err|warn|info)|cond_resched|flush_dcache_page)\b/;

export function findChanges(text: string): Change[] {
  const code = withoutWords(text);
  const starts = lineStarts(text);
  return readFunctions(text).flatMap((one) => {
    const name = nameOf(text, starts, one);
    const [from, to] = [starts[one.firstLine] ?? 0, starts[one.lastLine - 1] ?? text.length];
    const raw = [...ofOperators(code, from, to), ...ofWords(code, from, to), ...one.statements.flatMap((at) => ofStatement(text, code, at))];
    return raw.map((change) => located(change, text, starts, name)).sort((a, b) => a.start - b.start || a.what.localeCompare(b.what));
  });
}

export function applied(text: string, { start, end, text: by }: Pick<Change, 'start' | 'end' | 'text'>): string {
  return text.slice(0, start) + by + text.slice(end);
}

/** Comments, strings and preprocessor lines as blanks of the same length. */
function withoutWords(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|\/\/.*|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|^[ \t]*#(?:\\\n|.)*/gm, (found) => found.replace(/[^\n]/g, ' '));
}

function ofOperators(code: string, from: number, to: number): Raw[] {
  const found: Raw[] = [];
  for (const match of code.slice(from, to).matchAll(/(?<=[\w)\]] )(<=|>=|==|!=|&&|\|\||<|>|\+|-)(?=\s)/g)) {
    const [, operator = ''] = match;
    const start = from + match.index;
    found.push({ start, end: start + operator.length, text: operators[operator] ?? operator, what: `${operator} becomes ${operators[operator]}` });
  }
  for (const match of code.slice(from, to).matchAll(/ [+-] 1\b/g)) {
    const start = from + match.index;
    found.push({ start, end: start + match[0].length, text: '', what: `${match[0].trim()} goes` });
  }
  for (const match of code.slice(from, to).matchAll(/!(?=[\w(*])/g)) {
    found.push({ start: from + match.index, end: from + match.index + 1, text: '', what: '! goes' });
  }
  return found;
}

function ofWords(code: string, from: number, to: number): Raw[] {
  return [...code.slice(from, to).matchAll(/\b(?:true|false)\b/g)].map(({ 0: word, index }) =>
    ({ start: from + index, end: from + index + word.length, text: words[word] ?? word, what: `${word} becomes ${words[word]}` }));
}

/** What can be done to a statement as a whole; one that holds others is left to them. */
function ofStatement(text: string, code: string, { start, end }: Statement): Raw[] {
  const statement = code.slice(start, end);
  const raw = text.slice(start, end);
  if (!statement.endsWith(';') || declares.test(statement) || isIdle.test(statement)) return [];
  if (/^goto\b/.test(statement)) return [{ start, end, text: ';', what: `${raw.slice(0, -1)} goes` }];
  const error = /^return (?:-E[A-Z]+|ret);$/.test(statement);
  if (error) return [{ start, end, text: 'return 0;', what: `${raw.slice(0, -1)} becomes return 0` }];
  if (isControl.test(statement)) return [];
  const found: Raw[] = [{ start, end, text: ';', what: 'the statement goes' }];
  if (/^ret = \w+\(/.test(statement)) found.push({ start, end, text: `((void)${raw.slice('ret = '.length, -1)}, ret = 0);`, what: 'what it returns is ignored' });
  if (/^ret = -E[A-Z]+;$/.test(statement)) found.push({ start, end, text: 'ret = 0;', what: 'the error is 0' });
  found.push(...swapped(text, code, start, end));
  return found;
}

/** The first two arguments of a call, when both are plain names or fields. */
function swapped(text: string, code: string, start: number, end: number): Raw[] {
  const match = /\b\w+\(((?:\w+(?:->|\.))*\w+), ((?:\w+(?:->|\.))*\w+)(?=[,)])/d.exec(code.slice(start, end));
  const [, one, other] = match?.indices ?? [];
  if (one === undefined || other === undefined) return [];
  const [a, b] = [text.slice(start + one[0], start + one[1]), text.slice(start + other[0], start + other[1])];
  return a === b ? [] : [{ start: start + one[0], end: start + other[1], text: `${b}, ${a}`, what: `${a} and ${b} change places` }];
}

function located(change: Raw, text: string, starts: readonly number[], name: string): Change {
  const line = starts.filter((at) => at <= change.start).length;
  const code = text.slice(starts[line - 1], (starts[line] ?? text.length + 1) - 1).trim();
  return { ...change, line, code, function: name };
}

function nameOf(text: string, starts: readonly number[], { firstLine }: CFunction): string {
  const before = text.slice(0, starts[firstLine - 1]);
  return /(\w+)\([^;{}]*\)\s*$/.exec(before.slice(-400))?.[1] ?? `line ${firstLine}`;
}

function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}
