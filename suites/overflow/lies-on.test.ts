/** The difference storage may not lie on a device of its snapshot, however it comes to lie there.
 *  Method: stack what can be stacked, offer its top as storage, and add what is at its bottom; one beside it may be added. */
import {
  dataDisk, expect, makeDm, makeLinear, makeLoop, makeMd, makePartitions, mountExt4, mountFuseStore, secondDisk, storeDisk, test, thirdDisk, type Device, type Lab,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;
const disks = [dataDisk, secondDisk, thirdDisk, storeDisk];
/** Large enough a file that its end lies elsewhere than its start. */
const params = { diff_storage_minimum: 6 * MIB / 512 };

/** The stack is over `data`; a second leg, where there is one, is `second`. */
interface Stack {
  readonly what: string;
  /** Makes it, and returns what is offered as storage. */
  readonly make: (l: Lab) => Promise<string>;
}

function twoLegs(l: Lab): Promise<Device> {
  return makeDm(l, 'legs', `0 8192 linear ${l.disk('second').path} 0`, `8192 8192 linear ${l.disk('data').path} 0`);
}

function crypt(l: Lab, below = l.disk('data')): Promise<Device> {
  return makeDm(l, 'crypt', `0 16384 crypt aes-xts-plain64 ${'0123456789abcdef'.repeat(8)} 0 ${below.path} 0`);
}

/** An array whose last member is the device. */
function md(l: Lab, ...options: readonly string[]): Promise<Device> {
  return makeMd(l, 'create', options, l.disk('second'), l.disk('data'));
}

/** A mounted ext4, and a file of it for storage. */
async function fileOn(l: Lab, device: Device, dir = '/mnt/top', options: readonly string[] = []): Promise<string> {
  await mountExt4(l, device, dir, options);
  return `${dir}/diff`;
}

async function overlay(l: Lab): Promise<string> {
  await mountExt4(l, l.disk('data'), '/mnt/data');
  await l.sh('cd /mnt/data; mkdir -p upper work /tmp/lower /mnt/merged');
  await l.sh('mount -t overlay -o lowerdir=/tmp/lower,upperdir=/mnt/data/upper,workdir=/mnt/data/work none /mnt/merged');
  l.defer(() => l.sh('umount /mnt/merged'));
  return '/mnt/merged';
}

/** A file on the disk `store`, of whose file system the journal is the device. */
async function journalOn(l: Lab, journal: Device): Promise<string> {
  await l.sh('mkfs.ext4 -q -F -b 4096 -O journal_dev "$1"', journal.path);
  return fileOn(l, l.disk('store'), '/mnt/top', ['-b', '4096', '-J', `device=${journal.path}`]);
}

const stacks: readonly Stack[] = [
  { what: 'a device-mapper device that reaches it with its second half', make: async (l) => (await twoLegs(l)).path },
  // Who tries it out by writing its start, its middle and its end finds nothing.
  { what: 'a device-mapper device of three parts that reaches it with its second MiB', make: async (l) => {
    const loop = await makeLoop(l, 6 * MIB);
    const parts = [`0 2048 linear ${l.disk('second').path} 0`, `2048 2048 linear ${l.disk('data').path} 0`, `4096 12288 linear ${loop.path} 0`];
    return (await makeDm(l, 'parts', ...parts)).path;
  } },
  { what: 'a file on a device-mapper device that reaches it with its second half', make: async (l) => fileOn(l, await twoLegs(l)) },
  { what: 'a device-mapper device over a device-mapper device over it', make: async (l) => (await makeLinear(l, 'top', await twoLegs(l), 6 * MIB)).path },
  { what: 'an encrypted device over it', make: async (l) => (await crypt(l)).path },
  { what: 'a file on an encrypted device over it', make: async (l) => fileOn(l, await crypt(l)) },
  { what: 'an encrypted device over a partition of it', make: async (l) => {
    const [part] = await makePartitions(l, l.disk('data'), [{ start: MIB, length: 8 * MIB }]) as [Device];
    return (await crypt(l, part)).path;
  } },
  { what: 'a striped array that it is a member of', make: async (l) => (await md(l, '--level=0', '--chunk=512')).path },
  { what: 'a file on a mirror that it is a member of', make: async (l) => fileOn(l, await md(l, '--level=1', '--assume-clean')) },
  { what: 'a concatenation that it is the last member of', make: async (l) => (await md(l, '--level=linear')).path },
  { what: 'a file of an overlay whose upper layer is on it', make: async (l) => `${await overlay(l)}/diff` },
  { what: 'an unnamed file of an overlay whose upper layer is on it', make: (l) => overlay(l) },
  { what: 'a loop device over a file whose last part lies on it', make: async (l) => {
    // The file system's second half is on the device.
    await mountExt4(l, await twoLegs(l), '/mnt/legs');
    await l.sh('dd if=/dev/zero of=/mnt/legs/backing bs=1M count=6 2> /dev/null');
    return (await makeLoop(l, 6 * MIB, '/mnt/legs/backing')).path;
  } },
  { what: 'a file whose file system has its journal on it', make: (l) => journalOn(l, l.disk('data')) },
  { what: 'a file whose file system has its journal on a partition of it', make: async (l) => {
    const [part] = await makePartitions(l, l.disk('data'), [{ start: MIB, length: 8 * MIB }]) as [Device];
    return journalOn(l, part);
  } },
];

for (const { what, make } of stacks) {
  test(`a device cannot join when the storage is ${what}`, { meta: { spec: ['DIF-04'] } }, async ({ lab }) => {
    const l = await lab({ disks, params });
    const storage = await make(l);
    const [data, third] = [l.disk('data'), l.disk('third')];
    await l.attach(data, third);
    const snapshot = await l.createSnapshot({ storage, limit: '6M' });

    await expect(snapshot.add(data)).rejects.toMatchObject({ name: 'ToolError', call: 'blkfilter_ctl_blksnap_snapshotadd' });

    // What does not lie below it may join, and nothing of the refusal stays.
    await snapshot.add(third);
    await snapshot.take();
    await third.write(0, new Uint8Array(4096).fill(1));
    expect(await third.snapshotInfo()).toMatchObject({ error: 0 });
    await snapshot.destroy();
    await (await l.takeSnapshot(data, { storage: '/tmp/diff', limit: '6M' })).destroy();
  });
}

test('a device cannot join when the storage is a file of a program, which keeps the end of it there', { meta: { spec: ['DIF-04'] } }, async ({ lab, skip }) => {
  const l = await lab({ disks, params });
  const [data, store] = [l.disk('data'), l.disk('store')];
  const from = (device: Device) => [`0 6144 linear ${device.path} 0`, `6144 6144 linear ${data.path} 6144`, `12288 53248 linear ${store.path} 6144`];
  const below = await makeDm(l, 'below', ...from(data));
  const { file } = await mountFuseStore(l, below);
  await l.attach(data);
  const whole = await l.createSnapshot({ storage: file, limit: '6M' });
  const isSeen = await whole.add(data).then(() => false, () => true);
  skip(!isSeen, 'the module does not see what a program does with its file');
  await whole.destroy();

  await l.sh(`dmsetup suspend below; printf '${from(store).join('\\n')}\\n' | dmsetup load below; dmsetup resume below`);
  const end = await l.createSnapshot({ storage: file, limit: '6M' });
  await expect(end.add(data)).rejects.toMatchObject({ name: 'ToolError', call: 'blkfilter_ctl_blksnap_snapshotadd' });
});
