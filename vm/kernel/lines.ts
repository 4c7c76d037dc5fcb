/** Reads kernel-patches/lines.yaml. What is wrong in it is said with file, line and what was expected. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { ConfigError } from '../errors.js';

export type KernelSource =
  | { readonly kind: 'debian'; readonly package: string }
  | { readonly kind: 'tarball'; readonly location: string; readonly sha256: string };

export interface KernelLine {
  readonly name: string;
  readonly source: KernelSource;
  readonly patchesDir: string;
  readonly flavours: readonly string[];
}

export const LINES_FILE = fileURLToPath(new URL('../../kernel-patches/lines.yaml', import.meta.url));
export const CONFIG_DIR = join(dirname(LINES_FILE), 'config');

export async function readLines(path: string = LINES_FILE): Promise<KernelLine[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, 1, 'a readable file', (error as NodeJS.ErrnoException).code ?? String(error));
  }
  return parseLines(text, path);
}

/** Pure: text to kernel lines, or ConfigError. */
export function parseLines(text: string, path: string): KernelLine[] {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  const reader = new Reader(path, counter);
  const problem = document.errors[0];
  if (problem) throw new ConfigError(path, counter.linePos(problem.pos[0]).line, 'YAML', problem.message.split('\n')[0] as string);
  const lines = reader.entries(document.contents, 'a map from kernel lines to their descriptions').map(([name, value, key]): KernelLine => {
    if (!/^\d+\.\d+$/.test(name)) throw reader.error(key, 'a kernel line such as "6.12", in quotes', JSON.stringify(name));
    const fields = reader.fields(value, ['source', 'patches', 'flavours']);
    const patches = reader.text(fields.patches, 'a folder name', /^[\w.-]+$/);
    return {
      name,
      source: readSource(reader, fields.source, path),
      patchesDir: join(dirname(path), patches),
      flavours: reader.list(fields.flavours, 'a list of flavours').map((node) => reader.text(node, 'the name of a flavour', /^[a-z][a-z0-9-]*$/)),
    };
  });
  if (lines.length === 0) throw new ConfigError(path, 1, 'at least one kernel line', 'none');
  return lines;
}

function readSource(reader: Reader, node: Node | undefined, path: string): KernelSource {
  const kinds = '{debian: PACKAGE} or {tarball: URL-or-path, sha256: HASH}';
  const keys = reader.entries(node, kinds).map(([key]) => key);
  if (keys.includes('debian')) {
    const { debian } = reader.fields(node, ['debian']);
    return { kind: 'debian', package: reader.text(debian, 'a package name', /^[a-z0-9][a-z0-9.+-]+$/) };
  }
  if (!keys.includes('tarball')) throw reader.error(node, kinds, keys.join(', ') || 'nothing');
  const { tarball, sha256 } = reader.fields(node, ['tarball', 'sha256']);
  const location = reader.text(tarball, 'a URL or a path', /./);
  return {
    kind: 'tarball',
    location: /^https?:/.test(location) ? location : resolve(dirname(path), location),
    sha256: reader.text(sha256, 'a SHA-256 of 64 hexadecimal digits', /^[0-9a-f]{64}$/),
  };
}

/** Typed access to YAML nodes, with positions in what it throws. */
class Reader {
  readonly #path: string;
  readonly #counter: LineCounter;

  constructor(path: string, counter: LineCounter) {
    this.#path = path;
    this.#counter = counter;
  }

  error(node: Node | null | undefined, expected: string, found: string): ConfigError {
    return new ConfigError(this.#path, this.#counter.linePos(node?.range?.[0] ?? 0).line, expected, found);
  }

  entries(node: Node | null | undefined, expected: string): [string, Node | undefined, Node][] {
    if (!isMap(node)) throw this.error(node, expected, describe(node));
    return node.items.map((pair) => {
      const key = pair.key as Node;
      return [isScalar(key) ? String(isScalar(key) && typeof key.value === 'number' ? key.source ?? key.value : key.value) : describe(key),
        (pair.value ?? undefined) as Node | undefined, key];
    });
  }

  /** Exactly these fields, each present. */
  fields<K extends string>(node: Node | undefined, names: readonly K[]): Record<K, Node> {
    const expected = `a map with ${names.join(', ')}`;
    const found: Partial<Record<K, Node>> = {};
    for (const [name, value, key] of this.entries(node, expected)) {
      if (!names.includes(name as K)) throw this.error(key, names.join(', '), JSON.stringify(name));
      if (value) found[name as K] = value;
    }
    const missing = names.find((name) => !found[name]);
    if (missing) throw this.error(node, `a field ${missing}`, 'none');
    return found as Record<K, Node>;
  }

  list(node: Node, expected: string): Node[] {
    if (!isSeq(node) || node.items.length === 0) throw this.error(node, expected, describe(node));
    return node.items as Node[];
  }

  text(node: Node, expected: string, pattern: RegExp): string {
    if (!isScalar(node)) throw this.error(node, expected, describe(node));
    // A bare 6.10 is the number 6.1 to YAML: take what was written.
    const text = typeof node.value === 'number' ? node.source ?? String(node.value) : String(node.value);
    if (!pattern.test(text)) throw this.error(node, expected, JSON.stringify(text));
    return text;
  }
}

function describe(node: unknown): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return node.items.length ? 'a list' : 'an empty list';
  if (isScalar(node)) return JSON.stringify(node.value);
  return 'nothing';
}
