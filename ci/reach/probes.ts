/** Probes: calls put before each statement of C sources, which tell once that they were reached. They tell by a port of
 *  the machine (vm/boot/argv.ts), so that what was reached is known from any context and however a guest ends. Pure. */
import { readFunctions, type CFunction, type Statement } from './statements.js';

/** A statement, by the number that its probe tells. */
export interface Place extends Statement {
  readonly id: number;
}

export interface ProbedFunction extends Omit<CFunction, 'statements'> {
  readonly places: readonly Place[];
}

export interface ProbedFile {
  readonly text: string;
  readonly functions: readonly ProbedFunction[];
}

/** Sources by path; each place has a number of its own among all files. */
export type ProbedSources = ReadonlyMap<string, ProbedFile>;

/** What two bytes of seven bits can tell, the first with its highest bit set. */
export const placesMax = 1 << 14;

/** Of the ports that nothing on our machines has; each CPU has its own, so that two cannot mix their bytes. */
const macro = (firstPort: number): string => `#ifndef suite_reached
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/smp.h>
#define suite_reached(id) do { \\
	static bool suite_told; \\
	if (!suite_told) { \\
		unsigned long suite_flags; \\
		suite_told = true; \\
		local_irq_save(suite_flags); \\
		outb(0x80 | ((id) >> 7), ${firstPort} + raw_smp_processor_id()); \\
		outb((id) & 0x7f, ${firstPort} + raw_smp_processor_id()); \\
		local_irq_restore(suite_flags); \\
	} \\
} while (0)
#endif
`;

/** Finds the places of sources, in the order of their paths. Throws RangeError when there are too many. */
export function findPlaces(sources: ReadonlyMap<string, string>): ProbedSources {
  let next = 0;
  const found = new Map<string, ProbedFile>();
  for (const file of [...sources.keys()].sort()) {
    const text = sources.get(file) ?? '';
    const functions = readFunctions(text).map(({ statements, ...lines }) => (
      { ...lines, places: statements.map((statement) => ({ ...statement, id: next++ })) }));
    found.set(file, { text, functions });
  }
  if (next > placesMax) throw new RangeError(`${next} places, but probes can tell of ${placesMax} only`);
  return found;
}

/** The text with its probes. Lines keep their numbers, but for those of the macro in front. */
export function withProbes({ text, functions }: ProbedFile, firstPort: number): string {
  const places = functions.flatMap((one) => one.places);
  if (places.length === 0) return text;
  const inserts = places.flatMap(({ start, end, id, isBare }) => [
    { at: start, what: `${isBare ? '{ ' : ''}suite_reached(${id}); ` },
    ...(isBare ? [{ at: end, what: ' }' }] : []),
  ]).sort((a, b) => a.at - b.at);
  const pieces = inserts.map(({ at, what }, index) => text.slice(inserts[index - 1]?.at ?? 0, at) + what);
  return macro(firstPort) + pieces.join('') + text.slice(inserts.at(-1)?.at);
}

/** What one port of one machine was told. Bytes whose partners are missing are left out. */
export function readTold(bytes: Uint8Array): Set<number> {
  const ids = new Set<number>();
  bytes.forEach((byte, index) => {
    const second = bytes[index + 1];
    if (byte >= 0x80 && second !== undefined && second < 0x80) ids.add(((byte & 0x7f) << 7) | second);
  });
  return ids;
}
