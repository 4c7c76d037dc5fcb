/** Which lines of a kernel source answer for a patch: what it changed, and the whole of each function that it changed. Pure. */

/** `source` is the file as it is now, `diff` what `git diff --unified=0` says of it and of what it was. Lines count from 1. */
export function ownLines(source: string, diff: string): Set<number> {
  const own = new Set(changedLines(diff));
  for (const [first, last] of functionsOf(source.split('\n'))) {
    const lines = Array.from({ length: last - first + 1 }, (_, at) => first + at);
    if (lines.some((line) => own.has(line))) lines.forEach((line) => own.add(line));
  }
  return own;
}

/** Where lines were only taken away, it is their neighbours. */
function changedLines(diff: string): number[] {
  return [...diff.matchAll(/^@@ -\S+ \+(\d+)(?:,(\d+))? @@/gm)].flatMap(([, start, count = '1']) => (
    count === '0' ? [Number(start), Number(start) + 1] : Array.from({ length: Number(count) }, (_, at) => Number(start) + at)));
}

/** First and last lines, by the kernel's style: the braces of a function stand alone in the first column. */
function functionsOf(lines: readonly string[]): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  lines.forEach((line, open) => {
    if (line !== '{') return;
    let first = open;
    while (first > 0 && /^[\w\t (]/.test(lines[first - 1] ?? '')) first -= 1;
    const close = lines.indexOf('}', open);
    found.push([first + 1, (close < 0 ? lines.length : close + 1)]);
  });
  return found;
}
