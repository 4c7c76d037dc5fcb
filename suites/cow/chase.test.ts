/** Who reads the image where the device is being written gets old data, in each moment of a copy: before it, in memory, stored, given up.
 *  Method: a program overwrites chunk after chunk while its threads read pieces of the image just there, and looks at each sector. */
import { dataDisk, expect, freezeData, limit, putOwnTool, test, type Device, type Lab } from '../fixtures/index.js';

/** Resolves to the number of pieces that were read; rejects with what was wrong in them. */
async function chase(l: Lab, data: Device, image: Device, { chunk, count, seed }: { chunk: number; count: number; seed: number }): Promise<number> {
  const program = await putOwnTool(l, 'vm/guest/tools/chase.c', 'chase');
  const { exitCode, stdout, stderr } = await l.guest.attempt([program, data.path, image.path, `${chunk}`, `${count}`, `${seed}`], { timeoutMs: limit(60_000) });
  expect(stderr.toString()).toBe('');
  expect(exitCode).toBe(0);
  return (JSON.parse(stdout.toString()) as { reads: number }).reads;
}

for (const [what, shift] of [['small chunks', 15], ['chunks of the usual size', 18]] as const) {
  test(`pieces of the image are right while their chunks are overwritten: ${what}`, { timeout: limit(120_000), meta: { spec: ['IMG-02', 'COW-01'] } }, async ({ lab, random }) => {
    const l = await lab({ params: { chunk_minimum_shift: shift } });
    const { data, image, frozen } = await freezeData(l);
    const chunk = 2 ** shift;
    const count = Math.floor(dataDisk.sizeBytes / chunk);

    expect(await chase(l, data, image, { chunk, count, seed: random.below(1e9) })).toBeGreaterThanOrEqual(count);
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
  });
}
