/** Memory that goes to the device that is held while its snapshot is made, is lost or ends: it comes back as it was.
 *  Method: a guest with little memory, whose swap is the device, writes more files into memory than it has. */
import type { DiskSpec } from '../../vm/index.js';
import {
  expect, filledSectors, limit, test, type Device, type FaultLog, type Lab, type LabOptions, type Snapshot,
} from '../fixtures/index.js';

const MIB = 1024 * 1024;
const MEMORY_MIB = 128;
const swapDisk: DiskSpec = { name: 'swap', sizeBytes: 160 * MIB };
const roomyDisk: DiskSpec = { name: 'roomy', sizeBytes: 192 * MIB };
const files = [1, 2, 3, 4];
const FILE_BYTES = 28 * MIB;
const DIR = '/mnt/memory';

async function fillMemory(l: Lab, version: number): Promise<void> {
  await Promise.all(files.map((file) => l.guest.run([
    'blkio', 'fill', `${DIR}/${file}`, '0', `${FILE_BYTES}`, '--device', `${file}`, '--version', `${version}`,
  ], { timeoutMs: 300_000 })));
}

async function expectMemory(l: Lab, version: number): Promise<void> {
  for (const file of files) {
    const seen = await l.device(`${DIR}/${file}`).sectors({ timeoutMs: 120_000 });
    await expect(seen).toHoldSectorsOf(filledSectors(FILE_BYTES, version, file));
  }
}

interface Change {
  readonly what: string;
  readonly limit: string;
  /** Before memory is short, and while it is. Returns what it came to. */
  readonly before: (l: Lab, swap: Device, limit: string) => Promise<Snapshot | undefined>;
  readonly during: (l: Lab, swap: Device, limit: string, snapshot: Snapshot | undefined) => Promise<string>;
}

const take = (l: Lab, swap: Device, limit: string): Promise<Snapshot> => (
  l.takeSnapshot(swap, { storage: l.disk('roomy').path, limit })
);

const changes: readonly Change[] = [
  { what: 'taken', limit: '160M', before: async () => undefined, during: async (l, swap, limit) => {
    await take(l, swap, limit);
    return 'taken, and held to the end';
  } },
  { what: 'lost in an overflow', limit: '8M', before: take, during: async (_, __, ___, snapshot) => {
    const { error_name: error } = await snapshot?.waitEvent(300_000) ?? {};
    expect(error).toBe('ENOSPC');
    return 'ENOSPC';
  } },
  { what: 'destroyed', limit: '160M', before: take, during: async (_, __, ___, snapshot) => {
    await snapshot?.destroy();
    return 'destroyed';
  } },
];

/** Bytes that have gone to the swap. */
async function swappedOut(l: Lab, swap: Device): Promise<number> {
  return Number(await l.sh('awk \'{ print $7 * 512 }\' "/sys/class/block/$1/stat"', swap.name));
}

async function expectSwapping(
  { lab, faults }: { lab: (options?: LabOptions) => Promise<Lab>; faults: FaultLog }, change: Change,
): Promise<void> {
  const l = await lab({ disks: [swapDisk, roomyDisk], memoryMiB: MEMORY_MIB });
  const swap = l.disk('swap');
  await l.sh('busybox mkswap "$1" > /dev/null', swap.path);
  await l.attach(swap);
  await l.sh(`busybox swapon "$1"; mkdir -p ${DIR}; mount -t tmpfs -o size=1G none ${DIR}`, swap.path);
  await l.sh(files.map((file) => `truncate -s ${FILE_BYTES} ${DIR}/${file}`).join('; '));
  const snapshot = await change.before(l, swap, change.limit);
  await fillMemory(l, 1);

  const before = await swappedOut(l, swap);
  const [said] = await Promise.all([change.during(l, swap, change.limit, snapshot), fillMemory(l, 2)]);
  await expectMemory(l, 2);

  const swapped = await swappedOut(l, swap) - before;
  expect(swapped).toBeGreaterThan(8 * MIB);
  await l.sh(`umount ${DIR}; busybox swapoff "$1"`, swap.path);
  faults.record({
    kind: 'allocation', operation: 'swap on the device', point: `a snapshot is ${change.what}`,
    hit: `${Math.round(swapped / MIB)} MiB swapped out meanwhile`, verdict: `${said}; the memory is right`,
  });
}

for (const change of changes) {
  test(`a snapshot of the device with the swap is ${change.what} while memory is short`, {
    timeout: limit(600_000), meta: { spec: ['COW-07', 'COW-06'] },
  }, async ({ lab, faults }) => {
    await expectSwapping({ lab, faults }, change);
  });
}
