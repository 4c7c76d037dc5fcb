/** House rules that no compiler knows: size, header comments, words left for later, names that only one machine knows. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface TidyContext {
  readonly root: string;
  /** Host names of package registries and mirrors of this machine. */
  readonly hostNames: readonly string[];
}

const linesMax: Readonly<Record<string, number>> = { ts: 300, mjs: 150, js: 150, c: 1200, h: 600 };
const lineCharsMax = 200;
/** Rooms that keep to less. */
const roomCharsMax: Readonly<Record<string, number>> = { vm: 130 };
/** At the top stand only these, besides dotfiles. */
const topLevel = new Set(['package.json', 'package-lock.json', 'README.md', 'kernel-patches', 'module', 'suites', 'vm', 'ci']);
// Written in halves, so that this file does not find itself.
const laterWords = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`);
const narrowedTest = new RegExp(`\\b(it|test|describe)\\.(${['on' + 'ly', 'to' + 'do'].join('|')})\\b|\\bxit\\(`);
/** Parents that say nothing about a machine; a clone lies in them anywhere. */
const commonParents = new Set(['/', '/tmp', '/var/tmp', '/home', '/root', '/src', '/opt', '/mnt', '/srv', '/usr/src']);

export function checkTidiness(files: readonly string[], context: TidyContext): string[] {
  return files.flatMap((file) => {
    const bytes = readFileSync(join(context.root, file));
    const place = placement(file);
    return bytes.includes(0) ? place : [...place, ...checkText(file, bytes.toString('utf8'), context)];
  });
}

/** Findings in one text file. */
export function checkText(file: string, text: string, context: TidyContext): string[] {
  const lines = text.split('\n');
  const extension = file.split('.').at(-1) ?? '';
  const isCode = extension in linesMax;
  const isVerbatim = extension === 'patch' || file.includes('/recorded/');
  const found: string[] = [];
  const say = (line: number, what: string) => found.push(`${file}:${line}: ${what}`);
  if (text !== '' && !text.endsWith('\n')) say(lines.length, 'no newline at the end');
  const limit = linesMax[extension];
  if (limit !== undefined && lines.length - 1 > limit) say(lines.length, `${lines.length - 1} lines, more than ${limit}: split by concern`);
  if (isCode && !hasHeader(file, text)) say(1, headerRule(extension));
  const names = machineNames(context);
  const isLock = basename(file) === 'package-lock.json';
  const charsMax = roomCharsMax[file.split('/')[0] ?? ''] ?? lineCharsMax;
  lines.forEach((line, index) => {
    const number = index + 1;
    if (!isVerbatim && /[ \t\r]$/.test(line)) say(number, 'white space at the end of the line');
    if (!isVerbatim && isCode && line.length > charsMax) say(number, `${line.length} characters, more than ${charsMax}`);
    if (!isLock && laterWords.test(line)) say(number, 'a word that leaves work for later');
    if (extension === 'ts' && narrowedTest.test(line)) say(number, 'a test switched off or narrowed');
    const name = names.find((one) => hasName(line, one));
    if (name !== undefined) say(number, `names this machine alone knows: ${name}`);
    if (isLock && /"resolved":/.test(line)) say(number, 'the lock file names a registry');
  });
  return found;
}

function placement(file: string): string[] {
  const top = file.split('/')[0] ?? '';
  return top.startsWith('.') || topLevel.has(top) ? [] : [`${file}:1: does not belong at the top`];
}

function hasHeader(file: string, text: string): boolean {
  const body = text.replace(/^#!.*\n/, '');
  if (/\.[ch]$/.test(file)) return /^(\/\/|\/\*) SPDX-License-Identifier: .+\n\/\*/.test(body);
  return /^\/\*\*\s*\S/.test(body);
}

function headerRule(extension: string): string {
  const isC = extension === 'c' || extension === 'h';
  return isC ? 'begins with an SPDX line and a comment that says what it is for' : 'begins with a /** comment that says what it is for';
}

/** As a name of its own: `../build/x` does not name a folder `/build/`. */
function hasName(line: string, name: string): boolean {
  const at = line.indexOf(name);
  return at >= 0 && !/[\w.-]/.test(line[at - 1] ?? ' ');
}

function machineNames({ root, hostNames }: TidyContext): string[] {
  const folder = root.replace(/\/$/, '');
  const parent = dirname(folder);
  return [`${folder}/`, ...(commonParents.has(parent) ? [] : [`${parent}/`]), ...hostNames];
}
