/** A process that dies between any two calls of a backup leaves nothing that others cannot find and undo.
 *  Method: one process has all open, the storage's file without a name, the control device, the image; it is killed when it has
 *  done so many steps. Another finds the snapshot by its id, reads the image, destroys it, and the space is back. */
import {
  controlCommand, createArgument, ctlArgument, ctlCommand, expect, filterCommand, IMAGE_OF, imagesOf, moduleReferences, Snapshot, test, type Device, type Lab,
} from '../fixtures/index.js';

const CHUNK = 256 * 1024;

/** The id of the snapshot is to follow. */
const addHead = ctlArgument(ctlCommand.snapshotAdd, new Uint8Array(0), { optlen: 16 }).toString('hex');
const createHex = createArgument(8192, 3).toString('hex');

const steps = ['open', 'create', 'add', 'take', 'write', 'image', 'destroy'] as const;
type Step = (typeof steps)[number];

/** $1 is the device. Says the name of each step when it is done, and goes on when it is told. */
const backup = `
${IMAGE_OF}
say() { echo "$1"; read -r go; }
call() { blkio ioctl "$@" > /dev/null; }
exec 3<> /tmp/diff 4< /dev/blksnap-control
rm /tmp/diff
echo $$
read -r go
say open
call fd:4 ${controlCommand.create} ${createHex}
hex=$(blksnapctl snapshot collect | sed 's/.*"id":"\\([^"]*\\).*/\\1/' | tr -d -)
say create
call "$1" ${filterCommand.ctl} ${addHead}$hex
say add
call fd:4 ${controlCommand.take} $hex
say take
head -c 4096 /dev/zero | blkio write "$1" 0 --direct
say write
image_of "$1"
exec 5< "$image"
blkio read fd:5 0 4096 > /dev/null
say image
call fd:4 ${controlCommand.destroy} $hex
say destroy`;

/** Runs the backup as far as the end of a step, and kills it there. */
async function dieAfter(l: Lab, data: Device, step: Step): Promise<void> {
  const command = l.guest.start(['/bin/sh', '-e', '-c', backup, 'sh', data.path], { timeoutMs: 60_000 });
  let said = '';
  let look: () => void = () => undefined;
  command.onStdout((text) => {
    said += text.toString();
    look();
  });
  const sees = (word: string): Promise<void> => new Promise((resolve, reject) => {
    look = () => { if (said.split('\n').slice(0, -1).includes(word)) resolve(); };
    look();
    command.result.then(({ stderr }) => reject(new Error(`the backup ended: ${stderr.toString()}`)), reject);
  });
  for (const word of steps.slice(0, steps.indexOf(step) + 1)) {
    command.write('go\n');
    await sees(word);
  }
  await l.sh('kill -s KILL "$1"', said.split('\n')[0] as string);
  expect((await command.result).signal).toBe(9);
}

for (const step of steps) {
  test(`a backup that is killed after ${step} leaves nothing that others cannot undo`, { meta: { spec: ['SNP-06', 'DIF-06'] } }, async ({ lab, faults }) => {
    const l = await lab();
    const data = l.disk('data');
    await data.fill(1);
    await l.attach(data);
    const frozen = await data.sectorsAt(0, 2 * CHUNK);
    const space = (): Promise<string> => l.sh('stat -f -c %f /tmp');
    const [before, references] = [await space(), await moduleReferences(l)];
    await dieAfter(l, data, step);

    const done = steps.indexOf(step);
    const ids = await Snapshot.collect(l.guest);
    expect(ids).toHaveLength(done >= 1 && done < 6 ? 1 : 0);
    if (done >= 3 && done < 6) {
      const { image } = await data.snapshotInfo();
      await expect(await l.device(`/dev/${image}`).sectorsAt(0, 2 * CHUNK)).toHoldSectorsOf(frozen);
    }
    for (const id of ids) await l.guest.run(['blksnapctl', 'snapshot', 'destroy', id]);

    expect(await imagesOf(l)).toEqual([]);
    expect(await moduleReferences(l)).toBe(references);
    expect(await space()).toBe(before);
    const next = await l.takeSnapshot(data);
    await (await next.image(data)).read(0, 4096);
    const verdict = 'another found all that was left, and undid it';
    faults.record({ kind: 'call', operation: 'backup', point: `SIGKILL after ${step}`, hit: 'process that has all of it open', verdict });
  });
}
