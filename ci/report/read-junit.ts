/** Reads back the JUnit that junit.ts writes: the same report, so far as JUnit holds it. Pure. Writing what was read gives
 *  the same text again. */
import type { FaultKind, FaultPoint } from '../../vm/index.js';
import { pendingCase, type CaseReport, type CaseState, type Problem, type RunReport } from './model.js';
import { originNames } from './origin.js';
import { caseId, type Variant } from './variant.js';
import { unescaped } from './xml.js';

/** Properties that belong to one test, whatever the run. */
const ownNames = new Set(['spec', 'variant', 'file', 'position', 'restoreMs', 'fault']);

/** Undefined when the text is no report of ours. */
export function readJunit(text: string): RunReport | undefined {
  const [, head] = /^<testsuites (name="blksnap-suite" [^>]*)>/m.exec(text) ?? [];
  // Attributes hold no bare < or >, and text no bare <, so tags can be told by their ends.
  const suites = [...text.matchAll(/<testsuite ([^>]*)>(.*?)<\/testsuite>/gs)];
  const [, firstHead = '', firstBody = ''] = suites[0] ?? [];
  if (head === undefined || suites.length === 0 || !text.trimEnd().endsWith('</testsuites>')) return undefined;
  const facts = propertiesOf(firstBody.split('<testcase ', 1)[0] ?? '');
  const isOrigin = ([name]: [string, string]) => (originNames as readonly string[]).includes(name);
  const properties = new Map(facts.filter((fact) => !isOrigin(fact)));
  return {
    startedAt: new Date(`${attribute(firstHead, 'timestamp') ?? ''}Z`),
    wallMs: milliseconds(head),
    properties,
    origin: new Map(facts.filter(isOrigin)),
    cases: suites.flatMap(([, suiteHead = '', body = '']) => casesOf(attribute(suiteHead, 'name') ?? '', body, properties)),
  };
}

function casesOf(suite: string, body: string, common: ReadonlyMap<string, string>): CaseReport[] {
  return [...body.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)].map(([, head = '', inner = '']) => {
    const facts = propertiesOf(inner);
    const all = (name: string) => facts.filter(([one]) => one === name).map(([, value]) => value);
    const [file = ''] = all('file');
    const [label] = all('variant');
    const [position] = all('position').map(Number);
    const own = facts.filter(([name, value]) => !ownNames.has(name) && common.get(name) !== value);
    const variant: Variant | undefined = label === undefined ? undefined : { label, facts: Object.fromEntries(own) };
    const title = attribute(head, 'name') ?? '';
    const name = label === undefined ? title : title.slice(0, -` (${label})`.length);
    const id = caseId(`${file}:${position ?? name}`, variant);
    return {
      ...pendingCase({ id, suite, file, name, specIds: all('spec'), variant, position, repeat: '' }),
      durationMs: milliseconds(head),
      restoreMs: all('restoreMs').map(Number),
      faults: all('fault').map(faultOf),
      ...outcomeOf(inner),
    };
  });
}

function faultOf(text: string): FaultPoint {
  const [kind, operation = '', point = '', hit = '', verdict = ''] = JSON.parse(text) as [FaultKind, ...string[]];
  return { kind, operation, point, hit, verdict };
}

function outcomeOf(inner: string): Partial<CaseReport> & { state: CaseState } {
  const skipped = /<skipped ([^>]*)\/>/.exec(inner);
  if (skipped !== null) return { state: 'skipped', skipReason: attribute(skipped[1] ?? '', 'message') };
  const [, tag, head = '', escaped = ''] = /<(failure|error) ([^>]*)>(.*?)<\/\1>/s.exec(inner) ?? [];
  if (tag === undefined) return { state: 'passed' };
  const { text, repeat, ...tail } = withoutTail(unescaped(escaped));
  const type = attribute(head, 'type') ?? 'Error';
  if (type === 'Unfinished' && text === '') return { state: 'pending', repeat };
  const blame = tag === 'failure' ? 'product' : 'rig';
  return { ...tail, repeat, state: tag === 'failure' ? 'failed' : 'error', problems: [problemOf(text, { type, blame, head })] };
}

/** The parts that a problem's text ends with, taken off from the end. */
function withoutTail(whole: string) {
  let text = whole;
  const cut = (pattern: RegExp): string | undefined => {
    const match = pattern.exec(text);
    if (match !== null) text = text.slice(0, match.index);
    return match?.[1];
  };
  const repeat = cut(/(?:^|\n\n)repeat: (.*)$/) ?? '';
  const remains = cut(/\n\nremains: (.*)$/);
  const klog = cut(/\n\nlast kernel messages:\n( {2}[^\n]*(?:\n {2}[^\n]*)*)$/);
  const klogTail = klog?.split('\n').map((line) => line.slice(2)) ?? [];
  return { text, repeat, klogTail, ...(remains === undefined ? {} : { remains }) };
}

/** The first problem with what it compared; whatever follows it, other problems too, is its detail. */
function problemOf(text: string, { type, blame, head }: { type: string; blame: Problem['blame']; head: string }): Problem {
  const message = attribute(head, 'message') ?? '';
  if (!text.startsWith(`${type}: `)) return { blame, isNamed: true, type, message, detail: text };
  const rest = text.slice(`${type}: `.length);
  const compared = /^(.*?)\nexpected: (.*?)\nseen: (.*?)(?:\n((?:- Expected|\s+at |console:|evidence: |caused by ).*))?$/s.exec(rest);
  if (compared !== null) {
    const [, said = '', expected = '', seen = '', detail = ''] = compared;
    return { blame, isNamed: true, type, message: said, expected, seen, detail };
  }
  const [said = '', ...detail] = rest.split('\n');
  return { blame, isNamed: true, type, message: said, detail: detail.join('\n') };
}

function propertiesOf(text: string): [string, string][] {
  return [...text.matchAll(/<property name="([^"]*)" value="([^"]*)"\/>/g)]
    .map(([, name = '', value = '']) => [unescaped(name), unescaped(value)]);
}

function attribute(head: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(head)?.[1];
  return value === undefined ? undefined : unescaped(value);
}

function milliseconds(head: string): number {
  return Math.round(Number(attribute(head, 'time') ?? 0) * 1000);
}
