/** A call that fails half way leaves everything as it was, wherever it fails.
 *  Method: let the first, the second, the third ... of its allocations fail, until the call meets none; after each failure look
 *  at all devices: they run, are not frozen, and are not filtered by what was not made. */
import { allowFaults, controlCommand, expect, isSlow, limit, moduleReferences, mountExt4, test, type Device, type Lab } from '../fixtures/index.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Few copies of few pages, for each page is a place to fail. */
const params = { chunk_minimum_shift: 15, diff_storage_minimum: 64 };
const SMALL = 24 * KIB;
const MOUNTED = 128 * KIB;
const PLACES_MAX = 5000;

async function linear(l: Lab, name: string, start: number, length: number): Promise<Device> {
  await l.sh('dmsetup create --noudevsync --noudevrules "$1" --table "0 $4 linear $2 $3"', name, l.disk('data').path, `${start / 512}`, `${length / 512}`);
  l.defer(() => l.sh('dmsetup remove --noudevsync "$1"', name));
  return l.device(`/dev/dm-${await l.sh('dmsetup info -c --noheadings -o minor "$1"', name)}`);
}

/** A mounted file system whose device grew since it was attached, and a plain device. */
async function devices(l: Lab): Promise<[mounted: Device, plain: Device]> {
  const [mounted, plain] = [await linear(l, 'mounted', 0, MOUNTED), await linear(l, 'plain', 2 * MIB, SMALL)];
  await mountExt4(l, mounted, '/mnt/data', ['-O', '^has_journal']);
  await l.attach(mounted, plain);
  const grown = ['dmsetup suspend mounted', 'dmsetup load mounted --table "0 $2 linear $1 0"', 'dmsetup resume --noudevsync mounted'];
  await l.sh(grown.join('; '), l.disk('data').path, `${2 * MOUNTED / 512}`);
  return [mounted, plain];
}

/** Where all is slower, not each place but each of so many is tried; which of them is up to the seed. */
const STRIDE_WHERE_SLOW = 7;

/** $1 is the first place to fail, $2 the way from each to the next, $3 the number of the call, $4 the storage, $5 the mounted
 *  device, $6 the other. Prints a line for each failure that was seen, and for each thing that was wrong after it. */
const takeScript = `
n=$1; stride=$2; call=$3; storage=$4; shift 4
make() {
  id=$(blksnapctl snapshot create --storage "$storage" --limit 8M | sed 's/.*"id":"\\([^"]*\\).*/\\1/')
  for device; do blksnapctl snapshot add "$id" "$device"; done
  hex=$(echo "$id" | tr -d -)
}
reads() { read _ _ seen _ < "/sys/class/block/\${2#/dev/}/stat"; }
look() {
  for image in /dev/blksnap-image*; do [ ! -e "$image" ] || echo "wrong: $image is there after failure $n"; done
  reads "$@"; before=$seen
  head -c 4096 /dev/zero | blkio write "$2" 0 --direct || echo "wrong: $2 cannot be written after failure $n"
  echo $n > /mnt/data/file && sync -f /mnt/data/file || echo "wrong: the file system cannot be written after failure $n"
  reads "$@"; [ "$before" = "$seen" ] || echo "wrong: something was copied after failure $n"
}
make "$@"
q='"'
while [ $n -lt ${PLACES_MAX} ]; do
  answer=$(blkio ioctl --rdonly /dev/blksnap-control "$call" "$hex" --fail-nth $n)
  case $answer in
  *'"error":null'*)
    blksnapctl snapshot destroy "$id"
    case $answer in *'"injected":false'*) echo "done: $n"; exit 0;; esac
    make "$@";;
  *)
    error=\${answer#*error$q:$q}; error=\${error%%$q*}
    echo "failed: $error"
    look "$@";;
  esac
  n=$((n + stride))
done`;

test('a take in which any allocation fails leaves every device as it was', { timeout: limit(600_000), meta: { spec: ['SNP-08', 'SNP-04'] } }, async ({ lab, random }) => {
  const l = await lab({ params });
  const all = await devices(l);
  await allowFaults(l);

  const stride = isSlow() ? STRIDE_WHERE_SLOW : 1;
  const args = [1 + random.below(stride), stride, controlCommand.take, l.disk('store').path, ...all.map(({ path }) => path)];
  const { stdout } = await l.guest.sh(takeScript, { args: args.map(String), timeoutMs: 500_000 });

  const lines = stdout.toString().trim().split('\n');
  expect(lines.filter((line) => line.startsWith('wrong'))).toEqual([]);
  expect(lines.at(-1)).toMatch(/^done: /);
  const errors = lines.filter((line) => line.startsWith('failed: '));
  // The driver core says EINVAL of a name for which it had no memory.
  expect(errors.filter((error) => !/ (ENOMEM|EINVAL)$/.test(error))).toEqual([]);
  // Each device has some of its own.
  expect(errors.length * stride).toBeGreaterThan(2 * 50);
  expect(await moduleReferences(l)).toBe(all.length);
  const good = await l.takeSnapshot(all);
  for (const device of all) expect(await (await good.image(device)).size()).toBe(await device.size());
});

const shortScripts = [
  { what: 'attach', spec: ['FLT-03', 'SNP-08'], script: `
    while n=$((n + 1)); [ $n -lt ${PLACES_MAX} ]; do
      answer=$(blkio ioctl --rdonly "$1" 0xc020128c $(printf blksnap | xxd -p)$(printf '%050d' 0) --fail-nth $n)
      case $answer in
      *'"error":null'*) blksnapctl detach "$1"; case $answer in *'"injected":false'*) echo "done: $n"; exit 0;; esac;;
      *) echo "$answer" | sed 's/.*"error":"\\([A-Z]*\\).*/failed: \\1/'
        [ -z "$(cat /sys/class/block/$(basename "$1")/filter)" ] || echo "wrong: a filter after failure $n"
        [ "$(cat /sys/module/blksnap/refcnt)" = 0 ] || echo "wrong: module references after failure $n";;
      esac
      head -c 4096 /dev/zero | blkio write "$1" 0 --direct
    done` },
  { what: 'create', spec: ['SNP-08', 'SNP-06'], script: `
    exec 3<>/tmp/diff
    while n=$((n + 1)); [ $n -lt ${PLACES_MAX} ]; do
      answer=$(blkio ioctl --rdonly /dev/blksnap-control 0xc0205601 0010000000000000030000000000000000000000000000000000000000000000 --fail-nth $n)
      case $answer in
      *'"error":null'*) blksnapctl snapshot destroy "$(blksnapctl snapshot collect | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')"
        case $answer in *'"injected":false'*) echo "done: $n"; exit 0;; esac;;
      *) echo "$answer" | sed 's/.*"error":"\\([A-Z]*\\).*/failed: \\1/'
        [ -z "$(blksnapctl snapshot collect)" ] || echo "wrong: a snapshot after failure $n"
        [ "$(cat /sys/module/blksnap/refcnt)" = 0 ] || echo "wrong: module references after failure $n"
        [ "$(stat -c %s /tmp/diff)" = 0 ] || echo "wrong: the storage keeps its space after failure $n";;
      esac
    done` },
];

for (const { what, spec, script } of shortScripts) {
  test(`${what} with any allocation failing leaves nothing behind`, { timeout: limit(300_000), meta: { spec } }, async ({ lab }) => {
    const l = await lab({ params });
    await allowFaults(l);
    const { stdout } = await l.guest.sh(`: > /tmp/diff; n=0; ${script}`, { args: [l.disk('data').path], timeoutMs: 250_000 });
    const lines = stdout.toString().trim().split('\n');
    expect(lines.filter((line) => line.startsWith('wrong'))).toEqual([]);
    expect(lines.at(-1)).toMatch(/^done: /);
    expect(new Set(lines.filter((line) => line.startsWith('failed')))).toEqual(new Set(['failed: ENOMEM']));
  });
}
