/** A snapshot that is destroyed while its image is in use: I/O errors for the users, and nothing is left when they go.
 *  Method: have it open, mounted, written or read at depth; destroy; look at what each call gives, then let go and unload. */
import {
  dataDisk, eventually, expect, holdOpen, imagesOf, limit, largeDisk, makeLinear, moduleReferences, secondDisk, startLoad, storeDisk, test,
  untilModuleReferences, type Device, type Lab,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;

/** What a shell that holds the image as descriptor 3 gets from commands after the destroy; before it, it runs `first`. */
async function afterDestroy(l: Lab, image: Device, mode: string, first: string, then: string, destroy: () => Promise<void>): Promise<string> {
  const user = l.guest.start(['/bin/sh', '-c', `exec 3${mode}"$1"; ${first}; echo ready; read go; ${then}`, 'sh', image.path]);
  let seen = '';
  user.onStdout((text) => { seen += text.toString(); });
  await eventually('a user of the image', () => Promise.resolve(seen), (text) => text.includes('ready\n'));
  await destroy();
  expect(await imagesOf(l)).toEqual([]);
  user.write('go\n');
  user.end();
  return (await user.result).text().replace('ready', '').trim();
}

const error = 'sed -n \'s/.*"error":"\\([A-Z]*\\)".*"call":"\\([a-z0-9]*\\)".*/\\1 \\2/p\'';
const uses = [
  { what: 'reads what it has read before', mode: '<', first: 'blkio read fd:3 0 65536 > /dev/null', then: `blkio read fd:3 0 4096 2>&1 > /dev/null | ${error}`, gets: /^EIO pread$/ },
  { what: 'reads what it has not read', mode: '<', first: 'blkio read fd:3 0 4096 > /dev/null', then: `blkio read fd:3 ${8 * MIB} 4096 2>&1 > /dev/null | ${error}`, gets: /^EIO pread$/ },
  { what: 'reads the last sector', mode: '<', first: ':', then: `blkio read fd:3 ${16 * MIB + 2 * 512} 512 2>&1 > /dev/null | ${error}`, gets: /^EIO pread$/ },
  { what: 'writes and flushes', mode: '<>', first: 'head -c 4096 /dev/zero | blkio write fd:3 0',
    then: `{ head -c 4096 /dev/zero | blkio write fd:3 4096 && blkio flush fd:3; } 2>&1 | ${error}`, gets: /^EIO (write|fsync)$/ },
];

for (const { what, mode, first, then, gets } of uses) {
  test(`destroy while the image is open: who ${what} gets an I/O error`, { meta: { spec: ['IMG-04', 'SNP-07'] } }, async ({ lab }) => {
    const l = await lab();
    const data = l.disk('data');
    await l.attach(data);
    const snapshot = await l.takeSnapshot(data);

    expect(await afterDestroy(l, await snapshot.image(data), mode, first, then, () => snapshot.destroy())).toMatch(gets);

    await data.detach();
    expect(await moduleReferences(l)).toBe(0);
    await l.unloadModule();
  });
}

test('an image that several have open lets its device go with the last of them', { meta: { spec: ['IMG-04', 'SNP-01'] } }, async ({ lab }) => {
  const l = await lab();
  const data = await makeLinear(l, 'below', l.disk('data'), 8 * MIB);
  await l.attach(data);
  const snapshot = await l.takeSnapshot(data);
  const image = await snapshot.image(data);
  const users = [await holdOpen(image), await holdOpen(image)];
  await image.read(0, 4096);
  for (const user of users) await user.close();
  await snapshot.destroy();
  await data.detach();
  // Refused as long as somebody has it open.
  await l.sh('dmsetup remove --noudevsync below');
});

const fileSystems = [
  { name: 'ext4', mkfs: 'mkfs.ext4 -q -F', options: 'rw', disk: dataDisk },
  { name: 'XFS', mkfs: 'mkfs.xfs -q -f', options: 'rw,nouuid', disk: largeDisk },
];

for (const { name, mkfs, options, disk } of fileSystems) {
  test(`destroy while the image is mounted as ${name} and written: errors, then it can be unmounted`, { timeout: limit(180_000), meta: { spec: ['IMG-04', 'SNP-07', 'DIF-06'] } }, async ({ lab }) => {
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk, largeDisk] });
    const data = l.disk(disk.name);
    await l.sh(`${mkfs} "$1"; mkdir -p /mnt/a /mnt/image; mount "$1" /mnt/a`, data.path);
    l.defer(() => l.sh('umount /mnt/a'));
    await l.sh('seq 100000 > /mnt/a/file; sync');
    await l.attach(data);
    const snapshot = await l.takeSnapshot(data);
    const image = await snapshot.image(data);
    await l.sh(`mount -o ${options} "$1" /mnt/image; exec 3< /mnt/image/file; read line <&3; [ "$line" = 1 ]`, image.path);
    const writer = l.guest.start(['/bin/sh', '-c', 'while echo more >> /mnt/image/other && sync -f /mnt/image/other; do echo .; done 2>/dev/null']);
    writer.end();
    await new Promise<void>((resolve) => { writer.onStdout(() => resolve()); });

    await snapshot.destroy();

    // The writer's loop ends with an error of its file system.
    await writer.result;
    await l.sh('echo 3 > /proc/sys/vm/drop_caches');
    expect((await l.guest.attempt(['cat', '/mnt/image/file'])).stderr.toString()).toMatch(/Input\/output error/);
    expect((await l.guest.attempt(['/bin/sh', '-c', 'echo new > /mnt/image/new && sync -f /mnt/image/new'])).exitCode).not.toBe(0);
    await l.sh('umount /mnt/image');
    await data.detach();
    await untilModuleReferences(l, 0);
    expect(await l.sh('tail -1 /mnt/a/file; echo more > /mnt/a/other; cat /mnt/a/other')).toBe('100000\nmore');
  });
}

test('destroy while the image is read and written at depth: each I/O ends, with data or an error', { meta: { spec: ['IMG-02', 'IMG-04', 'SNP-09'] } }, async ({ lab, random }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.attach(data);
  for (let round = 0; round < 3; round++) {
    const snapshot = await l.takeSnapshot(data);
    const image = await snapshot.image(data);
    const users = ['randread', 'randwrite'].map((rw) => startLoad(l.guest, { filename: image.path, rw, bs: '4k-512k', blockalign: '4k', iodepth: 64, randseed: random.below(1e9) }));
    const writing = startLoad(l.guest, { filename: data.path, rw: 'randwrite', bs: '4k-64k', randseed: random.below(1e9) });
    await Promise.all([...users, writing].map(({ started }) => started));

    await snapshot.destroy();

    for (const user of users) await user.abandon();
    expect((await writing.stop()).writes).toBeGreaterThan(0);
    expect(await imagesOf(l)).toEqual([]);
  }
});
