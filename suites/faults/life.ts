/** Every allocation that the module makes in tasks of its own, or others make for it: the steps of a snapshot's life in which
 *  each in turn fails once, whoever makes it. A write is done all the same. The image is right, or says that it is not; who reads
 *  or writes it may be told that there is no memory.
 *
 *  Each try is a life of its own, from create to destroy, in which one step is armed; what was hit tells whose it was. */
import { allowFaults, expect, FAILALLOC, hitOf, IMAGE_OF, mountExt4, watchAllocations, type FaultPoint, type Lab } from '../fixtures/index.js';

const KIB = 1024;
const CHUNK = 32 * KIB;
const PLACES_MAX = 2000;
/** Chunks of 32 KiB, and a file that grows by one of them. */
export const params = { chunk_minimum_shift: 15, diff_storage_minimum: CHUNK / 512 };

export interface Step {
  /** What is done, if the hit does not tell that it was done by something else. */
  readonly operation: string;
  readonly storage: 'a disk' | 'tmpfs' | 'ext4';
  readonly spec: readonly string[];
  /** Shell, before and while memory fails. $ready has been called, which makes and takes the snapshot. */
  readonly before?: string;
  readonly act: string;
  /** Default `right`: the image is, or the snapshot has overflowed. */
  readonly end?: 'right' | 'full' | 'gone';
  readonly limit?: string;
  /** In the quick run each so-manieth place is tried. Default each. */
  readonly stride?: number;
}

const copies = 'for chunk in 0 1 2; do overwrite $chunk; done; for chunk in 0 1 2; do settle $chunk; done';

function stepsOn(storage: Step['storage'], strides: { readonly copy: number; readonly read: number; readonly write: number; readonly destroy: number }): Step[] {
  return [
    { operation: 'first copy', storage, spec: ['COW-06', 'COW-01', 'DIF-02'], act: copies, stride: strides.copy },
    { operation: 'image read', storage, spec: ['COW-06', 'IMG-02'], before: 'overwrite 0; settle 0; forget', act: 'frozen 0; frozen 1', stride: strides.read },
    { operation: 'image write', storage, spec: ['COW-06', 'IMG-03'], before: 'overwrite 0; settle 0; forget', act: 'scribble 0; scribble 1', stride: strides.write },
    { operation: 'destroy', storage, spec: ['DIF-06', 'SNP-01'], before: 'overwrite 0; settle 0', act: 'destroy', end: 'gone', stride: strides.destroy },
  ];
}

export const steps: readonly Step[] = [
  ...stepsOn('a disk', { copy: 5, read: 2, write: 4, destroy: 2 }),
  ...stepsOn('tmpfs', { copy: 9, read: 3, write: 6, destroy: 3 }),
  ...stepsOn('ext4', { copy: 20, read: 3, write: 9, destroy: 3 }),
  { operation: 'overflow', storage: 'a disk', spec: ['DIF-03', 'COW-06', 'EVT-02'], limit: `${2 * CHUNK / KIB}K`, act: copies.replace(/; for.*/, ''), end: 'full', stride: 4 },
];

/** $1 is the first place to fail, $2 the way to the next, $3 the device, $4 the storage, $5 its limit, $6 how it is to end. */
const loop = (before: string, act: string): string => `
nth=$1; stride=$2; data=$3; storage=$4; limit=$5; end=$6
wrong() { echo "wrong: after failure $nth: $*"; }
${IMAGE_OF}
sum() { blkio read "$@" --catch > /tmp/sum; read -r sum < /tmp/sum; }
space() { space=; [ -b "$storage" ] || space=$(stat -c %s.%b "$storage"); }
overwrite() { blkio write "$data" $(($1 * ${CHUNK} + 4096)) --direct < /tmp/new || wrong "the original's write failed"; written="$written $1"; }
scribble() { if blkio write "$image" $(($1 * ${CHUNK} + 8192)) --direct < /tmp/new 2> /tmp/why; then scribbled="$scribbled $1"; else read -r told < /tmp/why; fi; }
# A write to the image waits until the chunk is stored.
settle() { scribble "$1"; }
frozen() {
  sum "$image" $(($1 * ${CHUNK})) 8192 --direct; read -r was < /tmp/old.$1
  case $sum in *'"error":null'*) [ "$sum" = "$was" ] || wrong "the image has $sum at chunk $1";; *) told=$sum;; esac
}
forget() { echo 3 > /proc/sys/vm/drop_caches; }
destroy() { blksnapctl snapshot destroy "$id" 2> /tmp/why || { read -r told < /tmp/why; blksnapctl snapshot destroy "$id" || wrong 'destroy failed'; }; }
event() { blksnapctl snapshot wait "$id" --timeout 0 > /tmp/event 2>&1; }
while [ $nth -lt ${PLACES_MAX} ]; do
  yes "$nth" | head -c 4096 > /tmp/new
  sum /tmp/new 0 4096; new=$sum
  for chunk in 0 1 2; do sum "$data" $((chunk * ${CHUNK})) 8192 --direct; echo "$sum" > /tmp/old.$chunk; done
  written=; scribbled=; told=
  [ -b "$storage" ] || { rm -f "$storage"; truncate -s 256K "$storage"; }
  space; had=$space
  blksnapctl snapshot create --storage "$storage" --limit "$limit" > /tmp/out; read -r out < /tmp/out; id=\${out#*'"id":"'}; id=\${id%%'"'*}
  blksnapctl snapshot add "$id" "$data"
  blksnapctl snapshot take "$id"
  image_of "$data"
  # The first who opens it opens the device with it, for which memory may be short: that is told to him, see allocations.ts.
  [ $end = gone ] || exec 4< $image
  ${before}
  [ -z "$told" ] || wrong "without a fault: $told"
  echo $nth > ${FAILALLOC}/nth
  ${act}
  read -r hit < ${FAILALLOC}/hit || true
  echo 0 > ${FAILALLOC}/nth
  was_told=$told; told=

  for chunk in $written; do sum "$data" $((chunk * ${CHUNK} + 4096)) 4096 --direct; [ "$sum" = "$new" ] || wrong "the original has $sum at chunk $chunk"; done
  if [ $end != gone ]; then
    blksnapctl snapshot info "$data" > /tmp/info; read -r info < /tmp/info
    case $info in
    *'"error":0,'*)
      state=right
      for chunk in 0 1 2; do frozen $chunk; done
      for chunk in $scribbled; do sum "$image" $((chunk * ${CHUNK} + 8192)) 4096 --direct; [ "$sum" = "$new" ] || wrong "the image has lost what was written to chunk $chunk"; done
      ! event || wrong "an event: $(cat /tmp/event)"
      [ -z "$was_told" ] || state=told;;
    *)
      state=lost
      case $info in *'"error_name":"ENOSPC"'*) state=full;; esac
      for chunk in 0 2 3; do sum "$image" $((chunk * ${CHUNK})) 4096 --direct; case $sum in *'"error":"EIO"'*) ;; *) wrong "an image that is lost answers $sum";; esac; done
      event || wrong 'no event'
      ! event || wrong "a second event: $(cat /tmp/event)";;
    esac
    exec 4<&-
    destroy
    [ -z "$told" ] || wrong "without a fault: $told"
  else
    state=gone
  fi
  [ ! -e "$image" ] || wrong 'the image is there'
  space; [ "$space" = "$had" ] || wrong "the storage has $space, it had $had"
  [ -n "$hit" ] || [ -z "$was_told" ] || wrong "without a fault: $was_told"
  if [ -z "$hit" ] && [ -z "$some" ] && [ $nth -gt 1 ]; then nth=1; some=none; continue; fi
  if [ -z "$hit" ]; then echo "done: $nth"; exit 0; fi
  some=yes
  echo "point: $nth $state $hit"
  nth=$((nth + stride))
done`;

/** Whose work it was, where that is not the step's own. */
const workers: readonly (readonly [call: RegExp, operation: string])[] = [
  [/ diff_storage_grow_work\b/, 'growth'], [/ diff_copy_store_work\b/, 'storing'], [/ diff_area_write_image\b/, 'image write'],
  [/ diff_area_read_image\b/, 'image read'],
];

const verdicts = {
  right: 'nothing was lost', told: 'who asked was told, nothing was lost', lost: 'the snapshot is lost and says so, the original is right',
  full: 'ENOSPC as without it, the original is right', gone: 'nothing is left',
} as const;

/** A snapshot may be lost for want of memory; one that is full is lost anyway. */
const ends = { right: ['right', 'told', 'lost'], full: ['full', 'lost'], gone: ['gone'] } as const;

const storagePath = { 'a disk': '', tmpfs: '/tmp/diff', ext4: '/mnt/store/diff' } as const;

/** Fails the first, or the `first`, allocation of the step, and each `stride` behind it, until none is met; of fewer than `first`
 *  those from the first on. None: the step makes none. */
export async function failEach(step: Step, l: Lab, { first, stride }: { first: number; stride: number }): Promise<FaultPoint[]> {
  const data = l.disk('data');
  await data.fill(1);
  if (step.storage === 'ext4') await mountExt4(l, l.disk('store'), '/mnt/store', ['-E', 'lazy_itable_init=0']);
  await l.attach(data);
  await allowFaults(l);
  await watchAllocations(l);
  const storage = storagePath[step.storage] || l.disk('store').path;
  const args = [`${first}`, `${stride}`, data.path, storage, step.limit ?? '8M', step.end ?? 'right'];
  const { stdout } = await l.guest.sh(loop(step.before ?? '', step.act), { args, timeoutMs: 550_000 });

  const lines = stdout.toString().trim().split('\n');
  expect(lines.filter((line) => line.startsWith('wrong'))).toEqual([]);
  expect(lines.at(-1)).toMatch(/^done: /);
  return lines.flatMap((line): FaultPoint[] => {
    const [, nth, state, hit] = /^point: (\d+) (\S+) (.*)$/.exec(line) ?? [];
    if (nth === undefined || state === undefined || hit === undefined) return [];
    expect(ends[step.end ?? 'right'], line).toContain(state);
    const operation = workers.find(([call]) => call.test(` ${hit}`))?.[1] ?? step.operation;
    const verdict = verdicts[state as keyof typeof verdicts];
    return [{ kind: 'allocation', operation, point: `${step.operation} on ${step.storage}: ${nth}`, hit: hitOf(hit), verdict }];
  });
}
