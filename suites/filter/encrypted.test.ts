/** Bios that carry a key above the filter: what is on the disk is the ciphertext, and the image has that.
 *  Method: an encrypted folder on ext4 with inline encryption done in software, raw reads of disk and image, and the image mounted. */
import { attachProbe, expect, loadProbe, test, type Device, type Lab, type ProbeMode } from '../fixtures/index.js';

/** Mounts and gives the key. A key is 64 bytes. */
async function mountWithKey(l: Lab, device: Device, dir: string): Promise<string> {
  await l.sh('mkdir -p "$2"; mount -o inlinecrypt "$1" "$2"', device.path, dir);
  l.defer(() => l.sh('! grep -q " $1 " /proc/mounts || umount "$1"', dir));
  const told = await l.sh('head -c 64 /dev/zero | tr "\\0" "k" | xfs_io -c "add_enckey" "$1"', dir);
  return /identifier (\w+)/.exec(told)?.[1] ?? '';
}

/** A disk with an encrypted folder, mounted at /mnt/a. */
async function encrypted(l: Lab, device: Device): Promise<void> {
  await l.guest.run(['mkfs.ext4', '-q', '-F', '-O', 'encrypt', '-b', '4096', device.path]);
  const key = await mountWithKey(l, device, '/mnt/a');
  await l.sh('mkdir /mnt/a/secret; xfs_io -c "set_encpolicy -v 2 $1" /mnt/a/secret', key);
}

/** 1 MiB of one word; synced, and read back past the cache. */
async function writeSecret(l: Lab, word: string): Promise<void> {
  await l.sh('yes "$1" | head -c 1048576 > /mnt/a/secret/file; sync; echo 3 > /proc/sys/vm/drop_caches', word);
}

const sum = (l: Lab, dir: string): Promise<string> => l.sh('md5sum < "$1/secret/file"', dir);
const sumOf = (l: Lab, word: string): Promise<string> => l.sh('yes "$1" | head -c 1048576 | md5sum', word);

for (const mode of ['pass', 'work', 'read'] as const satisfies readonly ProbeMode[]) {
  test(`encrypted files survive a filter in mode "${mode}", and never reach the disk in the clear`, { meta: { spec: ['FLT-13'] } }, async ({ lab }) => {
    const l = await lab();
    await loadProbe(l);
    const data = l.disk('data');
    await encrypted(l, data);
    const probe = await attachProbe(l, data);
    await probe.set(mode, { kinds: ['read', 'write'], hook: true });
    await writeSecret(l, 'plaintext-word');
    const writes = (await probe.log()).filter(({ kind }) => kind === 'write');
    const secret = writes.filter(({ flags }) => flags.includes('crypt')).map(({ offset }) => offset);
    expect(secret.length).toBeGreaterThan(0);
    // What is encrypted in software is a bio of its own, which the filter has seen already.
    expect(writes.map(({ offset }) => offset).filter((offset) => secret.includes(offset))).toEqual(secret);
    expect(await sum(l, '/mnt/a')).toBe(await sumOf(l, 'plaintext-word'));
    expect(await l.sh('grep -c plaintext-word "$1" || true', data.path)).toBe('0');
    const counts = await probe.counts();
    expect(counts.done).toBe(counts.hooked);
    expect(counts.failed).toBe(0);
    await probe.set('pass');
    await data.detach('probe');
    await l.sh('umount /mnt/a; e2fsck -fn "$1"', data.path);
  });
}

test('the image of a disk with encrypted files holds what the disk held, and gives the files to who has the key', { meta: { spec: ['FLT-13', 'COW-01', 'COW-08'] } }, async ({ lab, skip }) => {
  const l = await lab();
  const data = l.disk('data');
  await encrypted(l, data);
  await writeSecret(l, 'before');
  const refusal = await l.attach(data).then(() => undefined, (error: { errno?: string }) => error);
  if (refusal !== undefined) {
    expect(['EOPNOTSUPP', 'EINVAL']).toContain(refusal.errno);
    expect(await data.sysfsFilter()).toBe('\n');
    skip(`the module refuses the disk with ${refusal.errno}`);
  }
  const snapshot = await l.takeSnapshot(data);
  const image = await snapshot.image(data);
  const frozen = await image.sectors();
  expect(await l.sh('grep -c before "$1" || true', image.path)).toBe('0');
  await l.sh('dd if=/dev/zero of=/mnt/a/secret/file bs=4096 count=256 conv=notrunc 2>/dev/null; sync');
  await writeSecret(l, 'afterwards');
  await expect(await image.sectors()).toHoldSectorsOf(frozen);
  await mountWithKey(l, image, '/mnt/image');
  expect(await sum(l, '/mnt/image')).toBe(await sumOf(l, 'before'));
  expect(await sum(l, '/mnt/a')).toBe(await sumOf(l, 'afterwards'));
  await l.sh('umount /mnt/image');
  await snapshot.destroy();
  await data.detach();
  await l.sh('umount /mnt/a; e2fsck -fn "$1"', data.path);
});
