/** Reads suites/spec.yaml, the table of what the system must do. What is wrong in it is said with file and line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readYaml, type YamlNode, type YamlReader } from '../../vm/index.js';

export interface Behaviour {
  /** Group and number, such as COW-01. */
  readonly id: string;
  readonly sentence: string;
  /** Who has to behave so: the kernel patches, the module, or both together. */
  readonly where: 'kernel' | 'module' | 'both';
  /** Why its tests are not due yet; undefined when they are. */
  readonly laterReason: string | undefined;
}

export interface Spec {
  /** An id without a test fails npm test; otherwise it is only listed. */
  readonly isStrict: boolean;
  readonly behaviours: readonly Behaviour[];
}

export const specFile = 'suites/spec.yaml';

export function readSpec(root: string): Spec {
  const path = join(root, specFile);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, 1, 'a readable file', (error as NodeJS.ErrnoException).code ?? String(error));
  }
  return parseSpec(text, path);
}

/** Pure: text to the table, or ConfigError. */
export function parseSpec(text: string, path: string): Spec {
  const { contents, reader } = readYaml(text, path);
  const fields = reader.fields(contents, ['strict', 'behaviours']);
  const entries = reader.entries(fields.behaviours, 'a map from ids to behaviours');
  if (entries.length === 0) throw reader.error(fields.behaviours, 'at least one behaviour', 'none');
  return {
    isStrict: reader.flag(fields.strict),
    behaviours: entries.map(([id, value, key]) => readBehaviour(reader, id, value ?? key, key)),
  };
}

function readBehaviour(reader: YamlReader, id: string, value: YamlNode, key: YamlNode): Behaviour {
  if (!/^[A-Z]{3}-\d{2}$/.test(id)) throw reader.error(key, 'an id such as COW-01', JSON.stringify(id));
  const { sentence, where, later, reason } = reader.fields(value, ['where', 'sentence'], ['later', 'reason']);
  const isLater = later !== undefined && reader.flag(later);
  if (isLater && reason === undefined) throw reader.error(later, 'a reason beside later', 'none');
  if (!isLater && reason !== undefined) throw reader.error(reason, 'a reason only beside later: true', 'one without it');
  return {
    id,
    sentence: reader.text(sentence, 'a sentence that ends with a full stop', /^\S.*\.$/),
    where: reader.text(where, 'kernel, module or both', /^(kernel|module|both)$/) as Behaviour['where'],
    laterReason: reason === undefined ? undefined : reader.text(reason, 'a reason', /\S/),
  };
}
