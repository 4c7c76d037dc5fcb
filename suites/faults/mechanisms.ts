/** The mechanisms of the kernel that make I/O fail, one device of each: what the module promises does not depend on who fails it. */
import { dataDisk, makeDm, secondDisk, storeDisk, type Device, type Lab } from '../fixtures/index.js';

const MIB = 1024 * 1024;
const SECTOR = 512;
/** The sectors that fail, on the device. They lie in the chunk that is overwritten. */
export const BAD = { sector: 2048, sectors: 8 };
export const DEVICE_BYTES = 8 * MIB;
/** What scsi_debug takes for bad, whatever it is told. */
const SCSI_BAD_SECTOR = 0x1234;

export const disks = [dataDisk, secondDisk, storeDisk];

export interface Broken {
  readonly device: Device;
  /** First sector of what fails on it. */
  readonly bad: number;
  /** From now on it fails: what reads there, or what writes, wherever that is. Resolves with what is set. */
  readonly break: (op: 'read' | 'write') => Promise<string>;
  readonly mend: () => Promise<void>;
}

export interface Mechanism {
  readonly name: string;
  readonly fails: readonly ('read' | 'write')[];
  readonly make: (l: Lab) => Promise<Broken>;
}

/** A device-mapper device over `second` whose table changes. */
function mapped(name: string, good: (below: string, sectors: number) => string, bad: (op: 'read' | 'write', below: string, sectors: number) => string): Mechanism['make'] {
  return async (l) => {
    const [below, sectors] = [l.disk('second').path, DEVICE_BYTES / SECTOR];
    const device = await makeDm(l, 'broken', good(below, sectors));
    const set = async (table: string): Promise<void> => {
      await l.sh('dmsetup load broken --table "$1"; dmsetup suspend --nolockfs broken; dmsetup resume --noudevsync broken', table);
    };
    return {
      device,
      bad: BAD.sector,
      break: async (op) => { const table = bad(op, below, sectors); await set(table); return `${name}: ${table}`; },
      mend: () => set(good(below, sectors)),
    };
  };
}

async function makeItFail(l: Lab): Promise<Broken> {
  const disk = l.disk('second');
  const dir = '/sys/kernel/debug/fail_make_request';
  await l.sh(`[ -d ${dir} ] || mount -t debugfs none /sys/kernel/debug; echo 100 > ${dir}/probability; echo 1 > ${dir}/interval; echo 0 > ${dir}/verbose; echo 0 > ${dir}/space`);
  const size = async (on: string): Promise<string> => l.sh(`echo "$2" > /sys/block/$1/make-it-fail; cat ${dir}/times`, disk.name, on);
  return {
    device: disk,
    bad: BAD.sector,
    break: async (op) => {
      // The old data is read when the write that makes it be read has passed this place, which is counted in bytes.
      const [space, times] = op === 'read' ? [4097, 1] : [0, 1_000_000];
      await l.sh(`echo ${space} > ${dir}/space; echo ${times} > ${dir}/times`);
      await size('1');
      return `make-it-fail: ${op === 'read' ? 'the next request' : 'all requests'}`;
    },
    mend: async () => { await size('0'); },
  };
}

async function dust(l: Lab): Promise<Broken> {
  return {
    device: await makeDm(l, 'broken', `0 ${DEVICE_BYTES / SECTOR} dust ${l.disk('second').path} 0 512`),
    bad: BAD.sector,
    break: async () => {
      await l.sh('dmsetup message broken 0 addbadblock "$1"; dmsetup message broken 0 enable', `${BAD.sector + 100}`);
      return `dust: bad block ${BAD.sector + 100}`;
    },
    mend: async () => { await l.sh('dmsetup message broken 0 disable'); },
  };
}

/** A SCSI disk in memory; `id` is its address, such as 0:0:0:0. */
async function makeScsiDebug(l: Lab): Promise<{ device: Device; id: string }> {
  await l.sh('insmod /lib/modules/$(uname -r)/scsi_debug.ko dev_size_mb=8 delay=0 ndelay=0');
  l.defer(() => l.sh('rmmod scsi_debug'));
  const path = await l.sh('until n=$(ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/* 2>/dev/null); do :; done; echo $n');
  const [id, , name] = path.split('/').slice(-3);
  return { device: l.device(`/dev/${name}`), id: `${id}` };
}

async function scsiDebug(l: Lab): Promise<Broken> {
  const { device } = await makeScsiDebug(l);
  return {
    device,
    bad: SCSI_BAD_SECTOR,
    break: async () => {
      await l.sh('echo 2 > /sys/bus/pseudo/drivers/scsi_debug/opts');
      return `scsi_debug: a medium error at sector ${SCSI_BAD_SECTOR}`;
    },
    mend: async () => { await l.sh('echo 0 > /sys/bus/pseudo/drivers/scsi_debug/opts'); },
  };
}

/** READ(10) and WRITE(10). */
const opcodes = { read: '28', write: '2a' } as const;

/** It does not answer; what it was asked ends when the queue's time-out, here a second, has passed. */
async function silentScsi(l: Lab): Promise<Broken> {
  const { device, id } = await makeScsiDebug(l);
  const errors = `/sys/kernel/debug/scsi_debug/${id}/error`;
  await l.sh('[ -e "$1" ] || mount -t debugfs none /sys/kernel/debug; echo 1 > "/sys/bus/scsi/devices/$2/timeout"; echo 0 > "/sys/class/scsi_disk/$2/max_retries"', errors, id);
  let opcode = '';
  return {
    device,
    bad: BAD.sector,
    break: async (op) => {
      opcode = opcodes[op];
      await l.sh('echo "0 1 $2" > "$1"', errors, opcode);
      return `scsi_debug: command ${opcode} times out`;
    },
    mend: async () => { await l.sh('echo "- 0 $2" > "$1"', errors, opcode); },
  };
}

async function nullBlk(l: Lab): Promise<Broken> {
  await l.sh(`insmod /lib/modules/$(uname -r)/null_blk.ko nr_devices=0; mkdir -p /sys/kernel/config; mount -t configfs none /sys/kernel/config 2>/dev/null || true
    d=/sys/kernel/config/nullb/broken; mkdir $d; echo 8 > $d/size; echo 1 > $d/memory_backed; echo 512 > $d/blocksize; echo 1 > $d/power`);
  l.defer(() => l.sh('rmdir /sys/kernel/config/nullb/broken; rmmod null_blk'));
  const name = await l.sh('echo nullb$(cat /sys/kernel/config/nullb/broken/index)');
  const ranges = {
    read: [`${BAD.sector + 100}-${BAD.sector + 107}`],
    // Some of each chunk, wherever it is stored.
    write: Array.from({ length: DEVICE_BYTES / SECTOR / 128 }, (_, n) => `${n * 128}-${n * 128 + 7}`),
  };
  let bad: readonly string[] = [];
  const set = (sign: string) => l.sh('sign=$1; shift; for range; do echo "$sign$range" > /sys/kernel/config/nullb/broken/badblocks; done', sign, ...bad);
  const path = await l.sh('[ -b "/dev/$1" ] && echo "/dev/$1" || echo /dev/broken', name);
  return {
    device: l.device(path),
    bad: BAD.sector,
    break: async (op) => {
      bad = ranges[op];
      await set('+');
      return `null_blk: bad blocks ${bad[0]}${bad.length > 1 ? ` and ${bad.length - 1} more` : ''}`;
    },
    mend: async () => { await set('-'); },
  };
}

const linear = (below: string, sectors: number): string => `0 ${sectors} linear ${below} 0`;

export const mechanisms: readonly Mechanism[] = [
  { name: 'make-it-fail', fails: ['read', 'write'], make: makeItFail },
  {
    name: 'dm-flakey', fails: ['read', 'write'],
    make: mapped('flakey', linear, (op, below, sectors) => `0 ${sectors} flakey ${below} 0 0 60 1 error_${op}s`),
  },
  { name: 'dm-dust', fails: ['read'], make: dust },
  { name: 'scsi_debug', fails: ['read'], make: scsiDebug },
  { name: 'scsi_debug, timing out', fails: ['read', 'write'], make: silentScsi },
  { name: 'null_blk', fails: ['read', 'write'], make: nullBlk },
];
