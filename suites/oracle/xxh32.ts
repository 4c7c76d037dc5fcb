/** XXH32 of seed 0, as xxHash computes it: cheap in emulated guests and here; pure.
 *  The words are as the machine has them, which is little-endian wherever this runs. */

const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;

function round(sum: number, word: number): number {
  const x = (sum + Math.imul(word, PRIME_2)) | 0;
  return Math.imul(x << 13 | x >>> 19, PRIME_1);
}

/** Of the words from one index to another, a multiple of 4. */
export function xxh32(words: Uint32Array, from = 0, to = words.length): number {
  let a = (PRIME_1 + PRIME_2) | 0;
  let b = PRIME_2;
  let c = 0;
  let d = -PRIME_1 | 0;
  for (let at = from; at < to; at += 4) {
    a = round(a, words[at] as number);
    b = round(b, words[at + 1] as number);
    c = round(c, words[at + 2] as number);
    d = round(d, words[at + 3] as number);
  }
  let sum = ((a << 1 | a >>> 31) + (b << 7 | b >>> 25) + (c << 12 | c >>> 20) + (d << 18 | d >>> 14) + 4 * (to - from)) | 0;
  sum = Math.imul(sum ^ sum >>> 15, PRIME_2);
  sum = Math.imul(sum ^ sum >>> 13, PRIME_3);
  return (sum ^ sum >>> 16) >>> 0;
}
