/** Reads a policy on the kernel log: which lines fail a test, and which of them are allowed until when.
 *  What is wrong in it is said with file, line and what was expected. */
import { readFile } from 'node:fs/promises';
import { aLineName, lineName } from '../kernel/line-name.js';
import { readYaml, type YamlNode, type YamlReader } from '../yaml.js';

export interface SplatPattern {
  readonly name: string;
  readonly pattern: RegExp;
  readonly why: string;
}

export interface Allowance {
  readonly name: string;
  readonly pattern: RegExp;
  readonly reason: string;
  readonly owner: string;
  /** Kernel line on which it holds, such as "6.12". */
  readonly line: string;
  /** Last day on which it holds, as 2027-01-31. */
  readonly expires: string;
  /** Undefined: all. */
  readonly flavours: readonly string[] | undefined;
  /** It does not come in every run: that none met it says nothing. */
  readonly isRare: boolean;
}

export interface KlogPolicy {
  readonly splats: readonly SplatPattern[];
  readonly allowed: readonly Allowance[];
}

export async function readKlogPolicy(path: string): Promise<KlogPolicy> {
  return parseKlogPolicy(await readFile(path, 'utf8'), path);
}

/** Pure: text to policy, or ConfigError. */
export function parseKlogPolicy(text: string, path: string): KlogPolicy {
  const { contents, reader } = readYaml(text, path);
  const { splats, allowed } = reader.fields(contents, ['splats'], ['allowed']);
  const policy = {
    splats: reader.list(splats, 'a list of patterns').map((node) => readSplat(reader, node)),
    allowed: allowed
      ? reader.list(allowed, 'a list of allowances, or none at all').map((node) => readAllowance(reader, node)) : [],
  };
  const names = policy.allowed.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw reader.error(allowed, 'a name of its own for each allowance', `two of ${JSON.stringify(twice)}`);
  return policy;
}

/** Holds on this kernel at all; whether its day has passed is another matter. */
export function applies({ line, flavours }: Allowance, kernel: { readonly line: string; readonly flavour: string }): boolean {
  return line === kernel.line && (flavours?.includes(kernel.flavour) ?? true);
}

/** Past its last day, counted in UTC. */
export function isExpired({ expires }: Allowance, now: Date): boolean {
  return expires < now.toISOString().slice(0, 10);
}

function readSplat(reader: YamlReader, node: YamlNode): SplatPattern {
  const fields = reader.fields(node, ['name', 'pattern', 'why'], ['flags']);
  const flags = fields.flags ? reader.text(fields.flags, 'the flag i', /^i$/) : '';
  return { name: words(reader, fields.name), pattern: regExp(reader, fields.pattern, flags), why: words(reader, fields.why) };
}

function readAllowance(reader: YamlReader, node: YamlNode): Allowance {
  const fields = reader.fields(node, ['name', 'pattern', 'reason', 'owner', 'line', 'expires'], ['flavours', 'rare']);
  const expires = reader.text(fields.expires, 'a day such as 2027-01-31', /^\d{4}-\d\d-\d\d$/);
  if (Number.isNaN(Date.parse(expires))) throw reader.error(fields.expires, 'a day such as 2027-01-31', expires);
  return {
    name: words(reader, fields.name),
    pattern: regExp(reader, fields.pattern, ''),
    reason: words(reader, fields.reason),
    owner: words(reader, fields.owner),
    line: reader.text(fields.line, aLineName, lineName),
    expires,
    isRare: fields.rare !== undefined && reader.flag(fields.rare),
    flavours: fields.flavours && reader.list(fields.flavours, 'a list of flavours').map((one) => words(reader, one)),
  };
}

function words(reader: YamlReader, node: YamlNode): string {
  return reader.text(node, 'some words', /\S/);
}

function regExp(reader: YamlReader, node: YamlNode, flags: string): RegExp {
  const source = reader.text(node, 'a regular expression', /\S/);
  let pattern: RegExp;
  try {
    pattern = new RegExp(source, flags);
  } catch (error) {
    throw reader.error(node, 'a regular expression', (error as Error).message);
  }
  if (pattern.test('')) {
    throw reader.error(node, 'a pattern that some lines do not match', `one that matches an empty line: ${source}`);
  }
  return pattern;
}
