/** What a guest of a flavour needs besides its kernel. The one place where flavours differ in that. */

export interface FlavourNeeds {
  /** Of a machine that does not ask for some amount. */
  readonly memoryMiB: number;
  /** What a small machine has to have more than on `fast`, so that as much of it is available. */
  readonly overheadMiB: number;
  /** How many times longer than on `fast` the same work may take: every time limit is multiplied by it. */
  readonly slowdown: number;
}

const FAST: FlavourNeeds = { memoryMiB: 512, overheadMiB: 0, slowdown: 1 };

/** KASAN keeps a byte for each eight and holds freed memory back, page_owner a note for each page; checks of memory,
 *  locks and objects cost time. Overhead: measured by MemAvailable, 95 MB on `fast` with 128 MiB, and here with 242. */
const NEEDS: Readonly<Record<string, FlavourNeeds>> = {
  debug: { memoryMiB: 768, overheadMiB: 114, slowdown: 4 },
};

/** A flavour that is not known here is taken for one like `fast`. */
export function flavourNeeds(flavour: string): FlavourNeeds {
  return NEEDS[flavour] ?? FAST;
}
