/** What is the storage of one snapshot is not taken for another, by whatever name or descriptor it comes.
 *  Method: hand over the same file twice; the first snapshot must not be harmed. */
import { controlCommand, expect, freezeData, mountExt4, Snapshot, test } from '../fixtures/index.js';

const MIB = 1024 * 1024;
/** struct blksnap_snapshot_create: 4 MiB at most, on descriptor 4. */
const create = `${controlCommand.create} 0020000000000000${'04000000'}${'00'.repeat(20)}`;

const names = [
  { what: 'the same descriptor', second: 'exec 4>&3' },
  { what: 'the file opened again', second: 'exec 4<>"$1"' },
  { what: 'another link to the file', second: 'ln "$1" "$1.link"; exec 4<>"$1.link"' },
];

for (const { what, second } of names) {
  test(`a storage is not shared by two snapshots: ${what} is refused`, { meta: { spec: ['DIF-06', 'DIF-05'] } }, async ({ lab }) => {
    const l = await lab({ params: { diff_storage_minimum: 2 * MIB / 512 } });
    await mountExt4(l, l.disk('store'), '/mnt/store');
    const answers = await l.sh(`${': > "$1"; exec 3<>"$1"; exec 4>&3'}
      blkio ioctl /dev/blksnap-control ${create} | sed 's/.*"error":"*\\([A-Za-z]*\\).*/\\1/'
      ${second}
      blkio ioctl /dev/blksnap-control ${create} | sed 's/.*"error":"*\\([A-Za-z]*\\).*/\\1/'`, '/mnt/store/diff');
    expect(answers).toMatch(/^null\nE/);

    const [id] = await Snapshot.collect(l.guest);
    await l.sh('blksnapctl snapshot destroy "$1"', id ?? 'none');
    // Free again.
    const { data, image, frozen } = await freezeData(l, { storage: '/mnt/store/diff', limit: '8M' });
    await data.fill(2, { length: 4 * MIB });
    await expect(await image.sectors()).toHoldSectorsOf(frozen);
  });
}

test('a block device is not shared by two snapshots', { meta: { spec: ['DIF-06', 'DIF-05'] } }, async ({ lab }) => {
  const l = await lab();
  const snapshot = await l.createSnapshot({ storage: l.disk('store').path });
  await expect(Snapshot.create(l.guest, { storage: l.disk('store').path })).rejects.toMatchObject({ errno: 'EBUSY' });
  await snapshot.destroy();
  await (await l.createSnapshot({ storage: l.disk('store').path })).destroy();
});
