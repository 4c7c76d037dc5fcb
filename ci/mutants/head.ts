/** The head of a mutant's patch, read by machines and people: what breaks, for whom, how bad it is, and the ids whose
 *  tests must catch it. Pure. */
import { ConfigError } from '../../vm/index.js';

export interface MutantHead {
  readonly breaks: string;
  readonly forWhom: string;
  readonly howBad: string;
  /** At least one, each of the table of promises. */
  readonly specIds: readonly string[];
}

const names = ['Breaks', 'For whom', 'How bad', 'Spec'] as const;
type Name = (typeof names)[number];

interface Field {
  readonly line: number;
  readonly text: string;
}

/** `text` is the whole patch; `file` is for messages. Throws ConfigError where the head is wrong. */
export function parseHead(text: string, file: string, knownIds: ReadonlySet<string>): MutantHead {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => line.startsWith('diff --git '));
  if (end < 0) throw new ConfigError(file, lines.length, 'a diff behind the head', 'none');
  const fields = readFields(lines.slice(0, end), file);
  const field = (name: Name): Field => {
    const found = fields.get(name);
    if (found === undefined) throw new ConfigError(file, end + 1, `"${name}: ..." in the head`, 'none');
    if (found.text === '') throw new ConfigError(file, found.line, `some words behind "${name}:"`, 'none');
    return found;
  };
  const [breaks, forWhom, howBad, spec] = names.map(field) as [Field, Field, Field, Field];
  return { breaks: breaks.text, forWhom: forWhom.text, howBad: howBad.text, specIds: specIdsOf(spec, file, knownIds) };
}

/** `Name: text`, gone on with on lines that begin with white space. */
function readFields(lines: readonly string[], file: string): Map<string, Field> {
  const fields = new Map<string, Field>();
  let open: string | undefined;
  lines.forEach((content, index) => {
    const line = index + 1;
    const last = open === undefined ? undefined : fields.get(open);
    if (content.trim() === '') {
      open = undefined;
    } else if (/^\s/.test(content) && open !== undefined && last !== undefined) {
      fields.set(open, { line: last.line, text: `${last.text} ${content.trim()}` });
    } else {
      const [, name = '', text = ''] = /^([^:]+):(.*)$/.exec(content) ?? [];
      if (!names.some((known) => known === name)) {
        throw new ConfigError(file, line, names.map((known) => `"${known}:"`).join(', '), JSON.stringify(content));
      }
      if (fields.has(name)) throw new ConfigError(file, line, `"${name}:" once`, 'it a second time');
      fields.set(name, { line, text: text.trim() });
      open = name;
    }
  });
  return fields;
}

function specIdsOf({ line, text }: Field, file: string, knownIds: ReadonlySet<string>): string[] {
  const ids = text.split(/\s+/);
  for (const id of ids) {
    if (!knownIds.has(id)) throw new ConfigError(file, line, 'ids of suites/spec.yaml, separated by spaces', JSON.stringify(id));
  }
  if (new Set(ids).size < ids.length) throw new ConfigError(file, line, 'each id once', text);
  return ids;
}
