/** YAML written by hand, read with positions: what is wrong is said with file, line and what was expected. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, stringify, type Node } from 'yaml';
import { ConfigError } from './errors.js';

export type YamlNode = Node;

/** Pure: text to its nodes and a reader for them, or ConfigError. No key may stand twice. */
export function readYaml(text: string, path: string): { contents: YamlNode | null; reader: YamlReader } {
  const counter = new LineCounter();
  const { errors, contents } = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  const problem = errors[0];
  if (problem) {
    throw new ConfigError(path, counter.linePos(problem.pos[0]).line, 'YAML', problem.message.split('\n')[0] as string);
  }
  return { contents, reader: new YamlReader(path, counter) };
}

/** Plain values as YAML that readYaml() reads again; each text on one line. */
export function writeYaml(value: object): string {
  return stringify(value, { lineWidth: 0 });
}

/** Typed access to YAML nodes, with positions in what it throws. */
export class YamlReader {
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
      // A number as it is written: 6.10 is not 6.1.
      const name = isScalar(key) ? String(typeof key.value === 'number' ? key.source ?? key.value : key.value) : describe(key);
      return [name, (pair.value ?? undefined) as Node | undefined, key];
    });
  }

  /** These fields, each present, and the optional ones. */
  fields<K extends string, O extends string = never>(
    node: Node | null | undefined, names: readonly K[], optional: readonly O[] = [],
  ): Record<K, Node> & Partial<Record<O, Node>> {
    const known: readonly string[] = [...names, ...optional];
    const found: Record<string, Node> = {};
    for (const [name, value, key] of this.entries(node, `a map with ${names.join(', ')}`)) {
      if (!known.includes(name)) throw this.error(key, known.join(', '), JSON.stringify(name));
      if (value) found[name] = value;
    }
    const missing = names.find((name) => !found[name]);
    if (missing) throw this.error(node, `a field ${missing}`, 'none');
    return found as Record<K, Node> & Partial<Record<O, Node>>;
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

  flag(node: Node): boolean {
    if (!isScalar(node) || typeof node.value !== 'boolean') throw this.error(node, 'true or false', describe(node));
    return node.value;
  }
}

function describe(node: unknown): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return node.items.length ? 'a list' : 'an empty list';
  if (isScalar(node)) return JSON.stringify(node.value);
  return 'nothing';
}
