/** Reads kernel-patches/lines.yaml. What is wrong in it is said with file, line and what was expected. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../errors.js';
import { readYaml, type YamlNode, type YamlReader } from '../yaml.js';
import { aLineName, lineName } from './line-name.js';

export type KernelSource =
  | { readonly kind: 'debian'; readonly package: string }
  | { readonly kind: 'tarball'; readonly location: string; readonly sha256: string };

export interface KernelLine {
  readonly name: string;
  readonly source: KernelSource;
  readonly patchesDir: string;
  /** Configurations of flavours, and base.config. */
  readonly configDir: string;
  readonly flavours: readonly string[];
}

export const LINES_FILE = fileURLToPath(new URL('../../kernel-patches/lines.yaml', import.meta.url));

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
  const { contents, reader } = readYaml(text, path);
  const entries = reader.entries(contents, 'a map from kernel lines to their descriptions');
  const lines = entries.map(([name, value, key]): KernelLine => {
    if (!lineName.test(name)) {
      throw reader.error(key, aLineName, JSON.stringify(name));
    }
    const fields = reader.fields(value, ['source', 'patches', 'flavours']);
    const patches = reader.text(fields.patches, 'the path of a folder', /./);
    return {
      name,
      source: readSource(reader, fields.source, path),
      patchesDir: resolve(dirname(path), patches),
      configDir: join(dirname(path), 'config'),
      flavours: reader.list(fields.flavours, 'a list of flavours')
        .map((node) => reader.text(node, 'the name of a flavour', /^[a-z][a-z0-9-]*$/)),
    };
  });
  if (lines.length === 0) throw new ConfigError(path, 1, 'at least one kernel line', 'none');
  return lines;
}

function readSource(reader: YamlReader, node: YamlNode | undefined, path: string): KernelSource {
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
