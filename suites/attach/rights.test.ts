/** The commands are for who has CAP_SYS_ADMIN at the time of the call, whoever opened the descriptor.
 *  Method: a user without capabilities calls on nodes that its modes let it open, and on descriptors that root has opened. */
import { controlCommand, ctlCommand, expect, filterCommand, filterName, test, type Lab } from '../fixtures/index.js';

/** Runs a script as a user without capabilities, to whom descriptors are handed down. */
async function asNobody(l: Lab, command: string, descriptors = ''): Promise<string> {
  const run = `su -s /bin/sh nobody -c "$1" ${descriptors} 2>&1 || true`;
  return l.sh(`echo 'nobody:x:65534:65534::/tmp:/bin/sh' >> /tmp/passwd; mount --bind /tmp/passwd /etc/passwd; ${run}; umount /etc/passwd`, command);
}

test('a caller without CAP_SYS_ADMIN gets EPERM, though it may open the device', { meta: { spec: ['FLT-04', 'ABI-02'] } }, async ({ lab }) => {
  const l = await lab();
  const [free, filtered] = [l.disk('store'), l.disk('data')];
  await l.attach(filtered);
  await l.sh('cp /etc/passwd /tmp/passwd; chmod 666 "$@" /dev/blksnap-control', free.path, filtered.path);
  expect(await asNobody(l, 'id -u')).toBe('65534');
  for (const command of [
    `attach ${free.path}`, `attach ${filtered.path}`, `detach ${filtered.path}`, `detach ${free.path}`,
    `cbt info ${filtered.path}`, `cbt map ${filtered.path}`, `cbt dirty ${filtered.path} 0:1`, 'snapshot collect', `snapshot create --storage ${free.path}`,
  ]) expect(await asNobody(l, `blksnapctl ${command}`), command).toContain('"error":"EPERM"');
  expect([await free.sysfsFilter(), await filtered.sysfsFilter()]).toEqual(['\n', 'blksnap\n']);
});

test('on descriptors that root has opened and handed down, every command is EPERM, and changes nothing', { meta: { spec: ['FLT-04', 'ABI-02'] } }, async ({ lab }) => {
  const l = await lab();
  const [free, filtered] = [l.disk('store'), l.disk('data')];
  await l.attach(filtered);
  const snapshot = await l.createSnapshot();
  await snapshot.add(filtered);
  const before = await filtered.cbtInfo();
  await l.sh('cp /etc/passwd /tmp/passwd');
  const name = filterName('blksnap').toString('hex');
  const ctl = Object.values(ctlCommand).map((number) => {
    const argument = Buffer.alloc(48 + 64);
    filterName('blksnap').copy(argument);
    argument.writeUInt32LE(number, 32);
    argument.writeUInt32LE(64, 36);
    argument.writeBigUInt64LE(0x1000_0000_0030n, 40);
    return argument.toString('hex');
  });
  const id = snapshot.id.replaceAll('-', '');
  const calls = [
    ...[3, 4].flatMap((fd) => [filterCommand.attach, filterCommand.detach].map((command) => `fd:${fd} ${command} ${name}`)),
    ...ctl.map((argument) => `fd:3 ${filterCommand.ctl} ${argument}`),
    `fd:5 ${controlCommand.create}`, `fd:5 ${controlCommand.take} ${id}`, `fd:5 ${controlCommand.destroy} ${id}`,
    `fd:5 ${controlCommand.collect} ${'00'.repeat(16)}`, `fd:5 ${controlCommand.waitEvent} ${id}00000000`,
  ];
  const script = calls.map((call) => `blkio ioctl ${call} | grep -o '"error":[^,]*'`).join('; ');
  const answers = await asNobody(l, script, `3<${filtered.path} 4<${free.path} 5</dev/blksnap-control`);
  expect(answers.split('\n')).toEqual(calls.map(() => '"error":"EPERM"'));
  expect([await free.sysfsFilter(), await filtered.sysfsFilter()]).toEqual(['\n', 'blksnap\n']);
  expect(await filtered.cbtInfo()).toEqual(before);
  await snapshot.take();
});

test('root may use a descriptor that was opened for reading only', { meta: { spec: ['FLT-04'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  await l.sh('exec 3<"$1"; blkio ioctl fd:3 "$2" "$3" | grep -q \'"error":null\'', data.path, `${filterCommand.attach}`, filterName('blksnap').toString('hex'));
  l.defer(() => data.detach());
  expect(await data.sysfsFilter()).toBe('blksnap\n');
});
