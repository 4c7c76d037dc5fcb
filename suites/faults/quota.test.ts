/** Space that a quota or the file system does not give: create fails with the reason, or takes none; in the end none of what it got is left.
 *  Method: less than a portion can be had; blocks of the file and of the file system before and after. */
import { expect, filledSectors, Snapshot, test, tool, type Lab } from '../fixtures/index.js';
import { blocksOfFile, DIR, FILE, fillUp, freeBlocks, MIB, mountStore, params } from './pressure.js';

const USER = '1000';
const quota = (l: Lab, bytes: number): Promise<unknown> => (
  l.guest.run(['files', 'quota', l.disk('store').path, USER, `${bytes / 1024}`])
);
/** Root may exceed every quota: this caller is root without that right. */
const create = (l: Lab): Promise<unknown> => (
  tool(l.guest, ['files', 'bounded', 'blksnapctl', 'snapshot', 'create', '--storage', FILE, '--limit', '8M'])
);

const shortages = [
  { errno: 'EDQUOT', make: async (l: Lab) => {
    await quota(l, MIB);
    return `${await l.sh(`stat -c "owner %u" ${FILE}`)} may have 1 MiB`;
  } },
  { errno: 'ENOSPC', make: (l: Lab) => fillUp(l, MIB) },
];
const files = [{ what: 'an empty file', bytes: 0 }, { what: 'a file that is large and has no blocks', bytes: 32 * MIB }];

for (const { errno, make } of shortages) {
  for (const { what, bytes } of files) {
    test(`create fails with ${errno}, or asks for nothing yet, and what it got for ${what} is given back`, {
      meta: { spec: ['DIF-02', 'DIF-06'] },
    }, async ({ lab, faults }) => {
      const l = await lab({ params });
      await mountStore(l, 'ext4', ['-O', 'quota'], 'usrquota');
      await l.sh(`truncate -s "$1" ${FILE}; chown ${USER} ${FILE}`, `${bytes}`);
      const hit = await make(l);
      const before = [await blocksOfFile(l), await freeBlocks(l)];

      const answer = await create(l).then(() => 'created', (error: { errno?: string }) => error.errno);
      expect(['created', errno, 'ENOSPC']).toContain(answer);
      for (const id of await Snapshot.collect(l.guest)) {
        expect(answer).toBe('created');
        await l.sh('blksnapctl snapshot destroy "$1"', id);
      }

      expect([await blocksOfFile(l), await freeBlocks(l)]).toEqual(before);
      await quota(l, 0);
      await l.sh(`rm -f ${DIR}/filler`);
      const snapshot = await l.createSnapshot({ storage: FILE, limit: '8M' });
      await snapshot.destroy();
      const verdict = `${answer}, ${before.join(', ')} free; then the same succeeded`;
      faults.record({ kind: 'call', operation: 'create', point: `${errno}, ${what}`, hit, verdict });
    });
  }
}

test('the owner\'s quota does not end a hold: it is the kernel that lets the file grow', {
  meta: { spec: ['DIF-02', 'COW-01'] },
}, async ({ lab, faults }) => {
  const l = await lab({ params });
  const data = l.disk('data');
  await data.fill(1);
  const capacity = await data.size();
  await mountStore(l, 'ext4', ['-O', 'quota'], 'usrquota');
  await l.sh(`touch ${FILE}; chown ${USER} ${FILE}`);
  await quota(l, 3 * MIB);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data, { storage: FILE, limit: '32M' });
  await data.fill(2);
  await expect(await (await snapshot.image(data)).sectors()).toHoldSectorsOf(filledSectors(capacity, 1));
  const space = Number(await l.sh(`stat -c %b ${FILE}`)) * 512;
  expect(space).toBeGreaterThan(3 * MIB);
  const hit = `a file with ${space} bytes, whose owner may have ${3 * MIB}`;
  faults.record({ kind: 'call', operation: 'growth', point: 'EDQUOT', hit, verdict: 'the image is right' });
});
