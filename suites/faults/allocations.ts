/** Every allocation that a task makes in a call: what the calls are, and how each of its allocations is failed in turn.
 *
 *  A step is a call with what comes before and after it, as functions of a script in the guest:
 *    setup     once
 *    before    before each call
 *    call N    the call, in which the Nth allocation fails, or none for 0; prints what blkio says of it
 *    check     after a call that failed: nothing is half made
 *    undo      after a call that succeeded
 *  A function says what is wrong by `wrong WORDS`. $data and $store are disks; $1 and so on are the step's own. */
import {
  allowFaults, behind, controlCommand, createArgument, ctlArgument, ctlCommand, dirtyArgument, expect, FAILALLOC, filterCommand, filterName, hitOf,
  IMAGE_OF, LIST_IMAGES, makeDm, mapArgument, mountExt4, watchAllocations, type CtlOptions, type Device, type FaultPoint, type Lab,
} from '../fixtures/index.js';
import { xxh32 } from '../oracle/xxh32.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Few copies of few pages, for each page is a place to fail; and storage that grows by little. */
export const params = { chunk_minimum_shift: 15, diff_storage_minimum: 64 };
const PLACES_MAX = 5000;

export interface Step {
  /** As it is in the table of faults. */
  readonly operation: string;
  readonly spec: readonly string[];
  readonly functions: string;
  /** Prepares the devices; what it returns is $1 and so on. */
  readonly prepare?: (l: Lab) => Promise<readonly string[]>;
  /** What the call says when all is well; default null. */
  readonly good?: string;
  /** What it may say beside ENOMEM, and why. */
  readonly also?: Readonly<Record<string, string>>;
  /** The module is not loaded before. */
  readonly loads?: boolean;
  /** In the quick run each so-manieth place is tried. Default each. */
  readonly stride?: number;
}

const driverCore = { EINVAL: 'the driver core says so of a name for which it had no memory' };

const ctl = (command: number, option: Uint8Array, options?: CtlOptions): string => ctlArgument(command, option, options).toString('hex');
/** struct blksnap_sectors */
const eightSectors = Buffer.from('00000000000000000800000000000000', 'hex');
const createHex = createArgument(4096, 3).toString('hex');
const attachName = filterName('blksnap').toString('hex');

/** A snapshot of data: `held` makes one and takes it, `gone` destroys it. */
const snapshotFunctions = `
${IMAGE_OF}
images() { ${LIST_IMAGES}; }
create() { blksnapctl snapshot create --storage "$1" --limit 8M > /tmp/out; read -r out < /tmp/out; id=\${out#*'"id":"'}; id=\${id%%'"'*}; hexadecimal $(IFS=-; echo $id); }
hexadecimal() { hex=$1$2$3$4$5; }
held() { create "$1"; blksnapctl snapshot add "$id" "$data"; blksnapctl snapshot take "$id"; image_of "$data"; }
gone() { blksnapctl snapshot destroy "$id"; }
given_back() { seen=$(stat -c %b "$1"); [ "$seen" = 0 ] || wrong "the storage has $seen blocks"; }
free() { [ -z "$(images)" ] || wrong 'an image is there'; [ -z "$(blksnapctl snapshot collect)" ] || wrong 'a snapshot is there'; }
# $1: as many as when the step was idle, or ready for the call.
references() { read -r seen < /sys/module/blksnap/refcnt; [ "$seen" = "$1" ] || wrong "module references: $seen, not $1"; }
kept() { read -r seen < "/sys/class/block/\${data#/dev/}/filter" || true; [ "$seen" = blksnap ] || wrong "the filter is $seen"; }`;

const ioctl = (path: string, command: number, hex: string): string => `blkio ioctl --rdonly ${path} ${command} ${hex} --fail-nth $1`;
const control = (command: number, hex: string): string => ioctl('/dev/blksnap-control', command, hex);

const attachData = async (l: Lab): Promise<readonly string[]> => {
  await l.attach(l.disk('data'));
  return [];
};

async function onExt4(l: Lab): Promise<void> {
  await mountExt4(l, l.disk('store'), '/mnt/store', ['-E', 'lazy_itable_init=0']);
}

/** A device-mapper device at a place of data. */
function linear(l: Lab, name: string, start: number, length: number): Promise<Device> {
  return makeDm(l, name, `0 ${length / 512} linear ${l.disk('data').path} ${start / 512}`);
}

/** A mounted file system whose device grew since it was attached, and a plain device. */
async function mountedAndPlain(l: Lab): Promise<readonly string[]> {
  const [mounted, plain] = [await linear(l, 'mounted', 0, 128 * KIB), await linear(l, 'plain', 2 * MIB, 24 * KIB)];
  await mountExt4(l, mounted, '/mnt/data', ['-O', '^has_journal']);
  await l.attach(mounted, plain);
  const grown = ['dmsetup suspend mounted', 'dmsetup load mounted --table "0 $2 linear $1 0"', 'dmsetup resume --noudevsync mounted'];
  await l.sh(grown.join('; '), l.disk('data').path, `${2 * 128 * KIB / 512}`);
  return [mounted.path, plain.path];
}

const zeroes = 'head -c 4096 /dev/zero';
const ZEROES_SUM = xxh32(new Uint32Array(1024));

/** Calls that need a snapshot of data to be there, and change nothing of it. */
const during = (storage: string): string => `setup() { held ${storage}; }; finish() { gone; }; before() { :; }; undo() { :; }; check() { kept; references $ready; }`;

export const steps: readonly Step[] = [
  { operation: 'load', spec: ['SNP-07', 'SNP-08'], loads: true, also: driverCore, stride: 17, functions: `
    traces() { ls -d /sys/module/blksnap /dev/blksnap-control 2> /dev/null || true; ls /sys/kernel/slab; cat /proc/devices; }
    setup() { traces > /tmp/traces; }; before() { :; }
    call() { blkio load /tmp/blksnap.ko --fail-nth $1; }
    check() { left=$(traces | diff /tmp/traces - | grep '^[+>]' | tr '\n' ' '); [ -z "$left" ] || wrong "there are now $left"; }
    undo() { rmmod blksnap; check; }` },
  { operation: 'attach', spec: ['FLT-03', 'SNP-08'], stride: 3, functions: `
    setup() { :; }; before() { :; }
    call() { ${ioctl('$data', filterCommand.attach, attachName)}; }
    check() {
      read -r seen < "/sys/class/block/\${data#/dev/}/filter" || true
      [ -z "$seen" ] || wrong "the filter is $seen"
      references $idle
      ${zeroes} | blkio write "$data" 0 --direct || wrong 'the device cannot be written'
    }
    undo() { kept; blksnapctl detach "$data"; check; }` },
  { operation: 'create', spec: ['SNP-08', 'SNP-06', 'DIF-06'], stride: 2, functions: `
    setup() { : > /tmp/diff; exec 3<>/tmp/diff; }; before() { :; }
    call() { ${control(controlCommand.create, createHex)}; }
    check() { free; references $idle; given_back /tmp/diff; }
    undo() { blksnapctl snapshot collect > /tmp/out; read -r out < /tmp/out; id=\${out#*'"id":"'}; id=\${id%%'"'*}; gone; check; }
    finish() { exec 3>&-; }` },
  { operation: 'create on ext4', spec: ['SNP-08', 'DIF-06'], stride: 3, prepare: async (l) => {
    await onExt4(l);
    return [];
  }, functions: `
    setup() { : > /mnt/store/diff; exec 3<>/mnt/store/diff; before=$(stat -f -c %f /mnt/store); }; before() { :; }
    call() { ${control(controlCommand.create, createHex)}; }
    check() { free; references $idle; given_back /mnt/store/diff; }
    undo() { blksnapctl snapshot collect > /tmp/out; read -r out < /tmp/out; id=\${out#*'"id":"'}; id=\${id%%'"'*}; gone; check; }
    finish() { exec 3>&-; sync -f /mnt/store; [ "$(stat -f -c %f /mnt/store)" = "$before" ] || wrong 'the file system has less space than before'; }` },
  { operation: 'add', spec: ['SNP-08', 'SNP-04'], prepare: attachData, stride: 2, functions: `
    setup() { :; }
    before() { create "$store"; }
    call() { ${ioctl('$data', filterCommand.ctl, `${ctl(ctlCommand.snapshotAdd, new Uint8Array(0), { optlen: 16 })}$hex`)}; }
    check() { kept; references $ready; ! blksnapctl snapshot info "$data" > /tmp/out 2>&1 || wrong "the device is in a snapshot"; }
    undo() { gone; kept; references $idle; }` },
  { operation: 'take', spec: ['SNP-08', 'SNP-04'], prepare: mountedAndPlain, also: driverCore, stride: 17, functions: `
    setup() { mounted=$1; plain=$2; }
    before() { [ -n "$id" ] || { create "$store"; for device in "$mounted" "$plain"; do blksnapctl snapshot add "$id" "$device"; done; }; }
    call() { ${control(controlCommand.take, '$hex')}; }
    reads() { read -r _ _ seen _ < "/sys/class/block/\${plain#/dev/}/stat"; }
    check() {
      [ -z "$(images)" ] || wrong "$(images) is there"
      reads; had=$seen
      ${zeroes} | blkio write "$plain" 0 --direct || wrong "$plain cannot be written"
      echo $nth > /mnt/data/file && sync -f /mnt/data/file || wrong 'the file system cannot be written'
      reads; [ "$had" = "$seen" ] || wrong 'something was copied'
      references $ready
    }
    undo() { [ "$(images | wc -l)" = 2 ] || wrong "the images are $(images)"; gone; id=; }` },
  { operation: 'destroy', spec: ['SNP-01', 'DIF-06', 'COW-09'], prepare: attachData, functions: `
    setup() { :; }
    before() { : > /tmp/diff; held /tmp/diff; ${zeroes} | blkio write "$data" 0 --direct; }
    call() { ${control(controlCommand.destroy, '$hex')}; }
    check() { :; }
    undo() { free; kept; references $idle; given_back /tmp/diff; }` },
  { operation: 'destroy on ext4', spec: ['SNP-01', 'DIF-06'], prepare: async (l) => {
    await onExt4(l);
    return attachData(l);
  }, functions: `
    setup() { truncate -s 4M /mnt/store/diff; }
    before() { held /mnt/store/diff; ${zeroes} | blkio write "$data" 0 --direct; }
    call() { ${control(controlCommand.destroy, '$hex')}; }
    check() { :; }
    undo() {
      free; kept; references $idle
      given_back /mnt/store/diff
      truncate -s 0 /mnt/store/diff; truncate -s 4M /mnt/store/diff
    }` },
  { operation: 'collect', spec: ['SNP-01', 'ABI-03'], prepare: attachData, functions: `${during('/tmp')}
    call() { ${control(controlCommand.collect, '0100000000000000'.concat('1000000000100000'))}; }` },
  { operation: 'wait event', spec: ['EVT-01'], prepare: attachData, good: 'ENOENT', functions: `${during('/tmp')}
    call() { ${control(controlCommand.waitEvent, '${hex}00000000')}; }` },
  { operation: 'cbtmap', spec: ['CBT-06', 'ABI-03'], prepare: attachData, functions: `${during('/tmp')}
    call() { ${ioctl('$data', filterCommand.ctl, ctl(ctlCommand.cbtMap, mapArgument(0, 64, behind(16)), { more: new Uint8Array(64) }))}; }` },
  { operation: 'cbtdirty', spec: ['CBT-07', 'ABI-03'], prepare: attachData, functions: `${during('/tmp')}
    marks() { blksnapctl cbt map "$data" --raw | xxd -p; }
    setup() { held /tmp; unmarked=$(marks); }
    before() { clean=$(marks); }
    check() { kept; references $ready; [ "$(marks)" = "$clean" ] || wrong 'something is marked'; }
    undo() { [ "$(marks)" != "$unmarked" ] || wrong 'nothing is marked'; }
    call() { ${ioctl('$data', filterCommand.ctl, ctl(ctlCommand.cbtDirty, dirtyArgument(1, behind(16)), { more: eightSectors }))}; }` },
  { operation: 'open image', spec: ['IMG-01'], prepare: attachData, functions: `${during('/tmp')}
    call() { blkio open $image --write --fail-nth $1; }` },
  ...(['', '--direct'] as const).map((direct): Step => ({
    operation: direct ? 'image read' : 'image read, buffered', spec: ['IMG-02'], prepare: attachData,
    // A read that lacks memory for its cache gives up with the error of its I/O.
    ...(direct ? {} : { stride: 5, also: { EIO: 'the page cache says so of a page that could not be read' } }),
    functions: `${during('/tmp')}
      before() { [ -n "${direct}" ] || echo 3 > /proc/sys/vm/drop_caches; }
      right() { sum=\${line##*'"sum":'}; [ -z "$want" ] && want=$sum; [ "$sum" = "$want" ] || wrong "the image reads as $sum, not $want"; }
      undo() { right; }
      setup() { held /tmp; ${zeroes} | blkio write "$data" 0 --direct; }
      call() { blkio read $image 0 ${64 * KIB} ${direct} --fail-nth $1; }`,
  })),
  { operation: 'image write', spec: ['IMG-03'], prepare: attachData, functions: `${during('/tmp')}
    call() { ${zeroes} | blkio write $image $((nth * 4096)) --direct --fail-nth $1; }` },
  { operation: 'first write', spec: ['COW-06', 'COW-01'], prepare: attachData, functions: `${during('/tmp')}
    setup() { held "$store"; }
    call() { ${zeroes} | blkio write "$data" $((nth * 32768)) --direct --fail-nth $1; }
    undo() {
      blkio read "$data" $((nth * 32768)) 4096 --direct --catch > /tmp/out; read -r out < /tmp/out; sum=\${out##*'"sum":'}
      [ "$sum" = '${ZEROES_SUM}}' ] || wrong "what was written is not there: $out"
      blksnapctl snapshot info "$data" > /tmp/out; read -r out < /tmp/out
      # A copy for which there is no memory may cost the snapshot.
      case $out in *'"error":0,'*) ;; *'"ENOMEM"'*) gone; held "$store";; *) wrong "$out";; esac
    }` },
];

/** Calls for which a module need not allocate anything. */
export const frugalSteps: readonly Step[] = [
  { operation: 'detach', spec: ['FLT-03', 'FLT-06'], functions: `
    setup() { :; }
    before() { blksnapctl attach "$data"; }
    call() { ${ioctl('$data', filterCommand.detach, attachName)}; }
    check() { kept; references $ready; }
    undo() { references $idle; ${zeroes} | blkio write "$data" 0 --direct || wrong 'the device cannot be written'; }` },
  { operation: 'cbtinfo', spec: ['CBT-03'], prepare: attachData, functions: `${during('/tmp')}
    call() { ${ioctl('$data', filterCommand.ctl, ctl(ctlCommand.cbtInfo, new Uint8Array(40)))}; }` },
  { operation: 'snapshotinfo', spec: ['IMG-01'], prepare: attachData, functions: `${during('/tmp')}
    call() { ${ioctl('$data', filterCommand.ctl, ctl(ctlCommand.snapshotInfo, new Uint8Array(36)))}; }` },
  { operation: 'version', spec: ['ABI-01'], prepare: attachData, functions: `${during('/tmp')}
    call() { ${control(controlCommand.version, '0000000000000000')}; }` },
];

/** $1 is the first place to fail, $2 the way from each to the next, $3 what the call says when all is well, $4 and $5 the disks.
 *  Prints a line for each failure, and for each thing that was wrong after it. */
const loop = (functions: string): string => `
nth=$1; stride=$2; some=; good=$3; data=$4; store=$5; shift 5
wrong() { echo "wrong: after failure $nth: $*"; }
${snapshotFunctions}
finish() { :; }
${functions}
say() { call "$1" > /tmp/answer; read -r line < /tmp/answer; error=\${line#*'"error":'}; error=\${error%%,*}; error=\${error#'"'}; error=\${error%'"'}; }
setup "$@"
while [ $nth -lt ${PLACES_MAX} ]; do
  read -r idle < /sys/module/blksnap/refcnt || true
  before
  read -r ready < /sys/module/blksnap/refcnt || true
  say $nth
  case $line in *'"injected":true'*) injected=yes; read -r hit < ${FAILALLOC}/hit;; *) injected=no;; esac
  if [ "$error" = "$good" ]; then
    undo
    if [ $injected = no ] && [ -z "$some" ] && [ $nth -gt 1 ]; then nth=1; some=none; continue; fi
    if [ $injected = no ]; then finish; echo "done: $nth"; exit 0; fi
    some=yes
    echo "passed: $nth null $hit"
  else
    [ $injected = yes ] || { wrong "$error without a fault: $line"; exit 0; }
    some=yes
    echo "failed: $nth $error $hit"
    check
    say 0
    if [ "$error" = "$good" ]; then undo; else wrong "the same call again: $line"; exit 0; fi
  fi
  nth=$((nth + stride))
done`;

/** Fails the first, or the `first`, allocation of the step, and each `stride` behind it, until the call meets no fault; of fewer
 *  than `first` those from the first on. None: the call makes none. */
export async function failEach(step: Step, l: Lab, { first, stride }: { first: number; stride: number }): Promise<FaultPoint[]> {
  await l.disk('data').fill(1);
  const own = await step.prepare?.(l) ?? [];
  await allowFaults(l);
  await watchAllocations(l);
  const args = [`${first}`, `${stride}`, step.good ?? 'null', l.disk('data').path, l.disk('store').path, ...own];
  const { stdout } = await l.guest.sh(loop(step.functions), { args, timeoutMs: 550_000 });

  const lines = stdout.toString().trim().split('\n');
  expect(lines.filter((line) => line.startsWith('wrong'))).toEqual([]);
  expect(lines.at(-1)).toMatch(/^done: /);
  const known = ['null', 'ENOMEM', ...Object.keys(step.also ?? {})];
  return lines.flatMap((line): FaultPoint[] => {
    const [, point, error, hit] = /^(?:failed|passed): (\d+) (\S+) (.*)$/.exec(line) ?? [];
    if (point === undefined || error === undefined || hit === undefined) return [];
    expect(known, line).toContain(error);
    const verdict = error === 'null' ? 'the call succeeded all the same' : `${error}, then the same call succeeded`;
    return [{ kind: 'allocation', operation: step.operation, point, hit: hitOf(hit), verdict }];
  });
}
