/** The kernel configuration: base.config, then the flavour's; checked after Kconfig has had its say. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../errors.js';

export interface Fragment {
  readonly path: string;
  readonly text: string;
}

/** Symbols that only a patched kernel knows; asking for them is no mistake where the series does not bring them. */
const OPTIONAL_SYMBOLS: readonly string[] = ['BLK_FILTER'];

export async function readFragments(flavour: string, dir: string): Promise<Fragment[]> {
  return Promise.all([join(dir, 'base.config'), join(dir, `${flavour}.config`)].map(async (path) => {
    try {
      return { path, text: await readFile(path, 'utf8') };
    } catch {
      throw new ConfigError(path, 1, `the configuration of flavour ${flavour}`, 'no such file');
    }
  }));
}

interface Wish {
  readonly path: string;
  readonly line: number;
  /** "n" for "is not set". */
  readonly value: string;
}

/** What the fragments ask for, by symbol; a later one overrides. Pure. */
export function wishes(fragments: readonly Fragment[]): Map<string, Wish> {
  const found = new Map<string, Wish>();
  for (const { path, text } of fragments) {
    text.split('\n').forEach((content, index) => {
      const set = /^CONFIG_(\w+)=(.+)$/.exec(content);
      const unset = /^# CONFIG_(\w+) is not set$/.exec(content);
      const symbol = set?.[1] ?? unset?.[1];
      if (symbol) found.set(symbol, { path, line: index + 1, value: set?.[2] ?? 'n' });
      else if (content.trim() !== '' && !content.startsWith('#')) {
        throw new ConfigError(path, index + 1, '"CONFIG_NAME=value" or "# CONFIG_NAME is not set"', JSON.stringify(content));
      }
    });
  }
  return found;
}

/** The text given to olddefconfig. */
export function mergedConfig(fragments: readonly Fragment[]): string {
  return [...wishes(fragments)]
    .map(([symbol, { value }]) => (value === 'n' ? `# CONFIG_${symbol} is not set\n` : `CONFIG_${symbol}=${value}\n`)).join('');
}

/** Throws ConfigError for the first wish that the final configuration does not grant. Pure. */
export function checkConfig(fragments: readonly Fragment[], finalConfig: string): void {
  const settings = [...finalConfig.matchAll(/^CONFIG_(\w+)=(.+)$/gm)];
  const granted = new Map(settings.map((match) => [match[1] as string, match[2] as string]));
  for (const [symbol, { path, line, value }] of wishes(fragments)) {
    const found = granted.get(symbol) ?? 'n';
    if (found === value || (found === 'n' && OPTIONAL_SYMBOLS.includes(symbol))) continue;
    throw new ConfigError(path, line, `CONFIG_${symbol}=${value} to be possible`,
      `CONFIG_${symbol}=${found} after olddefconfig (a dependency is missing, or something selects it)`);
  }
}
