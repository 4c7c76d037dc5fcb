/** From a patch to the places where it changes what happens. Pure. */
import type { Place, ProbedFile, ProbedSources } from './probes.js';

/** Ids of places, each of which is reached before anything that the patch changes can happen; `everywhere` when the
 *  patch changes what no probe stands before: what is outside functions, or in a file that has no probes. */
export function placesOf(patch: string, sources: ProbedSources): readonly number[] | 'everywhere' {
  const ids = new Set<number>();
  for (const { file, line } of changedLines(patch)) {
    const probed = sources.get(file);
    const found = probed && placesOfLine(line, probed);
    if (found === undefined) return 'everywhere';
    found.forEach(({ id }) => ids.add(id));
  }
  return ids.size > 0 ? [...ids].sort((a, b) => a - b) : 'everywhere';
}

interface Line {
  readonly file: string;
  /** As it was before, from 1. */
  readonly line: number;
}

/** Lines that go, and those before which others come without one that goes. */
export function changedLines(patch: string): Line[] {
  const found: Line[] = [];
  let file = '';
  let line = 0;
  let left = 0;
  let isReplacing = false;
  for (const text of patch.split('\n')) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@/.exec(text);
    const start = text[0] ?? ' ';
    if (hunk) {
      line = Number(hunk[1]);
      left = Number(hunk[2] ?? 1);
      isReplacing = false;
    } else if (start === '+' && !text.startsWith('+++ ')) {
      if (!isReplacing && !isBlank(text)) found.push({ file, line });
    } else if (left > 0 && (start === '-' || start === ' ')) {
      if (start === '-' && !isBlank(text)) found.push({ file, line });
      isReplacing = start === '-';
      line++;
      left--;
    } else {
      file = /^diff --git a\/(\S+) b\/\S+$/.exec(text)?.[1] ?? file;
    }
  }
  return found;
}

function isBlank(text: string): boolean {
  return text.slice(1).trim() === '';
}

/** The innermost statements that the line belongs to, or the first of the function; undefined outside functions. */
function placesOfLine(line: number, { text, functions }: ProbedFile): readonly Place[] | undefined {
  const inside = functions.find(({ firstLine, lastLine }) => firstLine < line && line <= lastLine);
  const first = inside?.places[0];
  if (inside === undefined || first === undefined) return undefined;
  const starts = lineStarts(text);
  const [from, to] = [starts[line - 1] ?? 0, starts[line] ?? text.length];
  const touching = inside.places.filter(({ start, end }) => start < to && from < end);
  const innermost = touching.filter((one) => !touching.some((other) => other !== one && one.start <= other.start && other.end <= one.end));
  return innermost.length > 0 ? innermost : [first];
}

function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}
