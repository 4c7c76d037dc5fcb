/** The real names nearest to a mistyped one. */

/** At most three names, nearest first, and of equally near ones first what comes first in `names`; none that has nothing to do with
 *  what was typed. */
export function nearest(typed: string, names: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  return [...new Set(names)]
    .map((name) => ({ name, distance: distanceTo(wanted, name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(2, Math.floor(Math.max(wanted.length, name.length) / 2)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** "x"? Did you mean "y"? For messages; says what exists when nothing is near, or what shows it. */
export function didYouMean(typed: string, names: readonly string[], shown = '--list'): string {
  const near = nearest(typed, names);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  return names.length > 0 && names.length <= 12 ? `there is: ${names.join(', ')}` : `see ${shown}`;
}

function distanceTo(wanted: string, name: string): number {
  return name.includes(wanted) || (name.length > 2 && wanted.includes(name)) ? 1 : editDistance(wanted, name);
}

/** Insertions, deletions, substitutions and swaps of neighbours that lead from one to the other. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= a.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      rows[row]?.push(Math.min(
        at(row - 1, column - 1) + (isSame ? 0 : 1),
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        isSwap ? at(row - 2, column - 2) + 1 : Infinity,
      ));
    }
  }
  return at(a.length, b.length);
}
