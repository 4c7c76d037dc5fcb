/** A 32-bit program gets what a 64-bit one gets, or ENOTTY; and whatever the arguments are, the answer is a defined one.
 *  Method: raw calls through the 32-bit gate (blkio --compat) beside the same calls of a 64-bit program; arguments at random. */
import {
  badPointer, behind, controlCommand, ctlCommand, dataDisk, expect, filterCommand, filterCtl, filterName, ioctl, moduleReferences, test, type Rng,
} from '../fixtures/index.js';

const compat = { compat: true } as const;

test('a 32-bit program attaches, asks, marks, adds and detaches as a 64-bit one does', { meta: { spec: ['ABI-03', 'ABI-01'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  const name = filterName('blksnap');
  expect(await ioctl(l.guest, data.path, filterCommand.attach, name, compat)).toMatchObject({ error: null });
  expect(await ioctl(l.guest, data.path, filterCommand.attach, name, compat)).toMatchObject({ error: 'EALREADY' });
  expect(await data.sysfsFilter()).toBe('blksnap\n');

  const info = await filterCtl(l.guest, data.path, ctlCommand.cbtInfo, Buffer.alloc(40), compat);
  expect(info).toMatchObject({ error: null });
  expect(info.out).toEqual((await filterCtl(l.guest, data.path, ctlCommand.cbtInfo, Buffer.alloc(40))).out);
  expect(info.out.readBigUInt64LE(0)).toBe(BigInt(dataDisk.sizeBytes));

  // One range, behind the option: a pointer in a structure.
  const dirty = Buffer.alloc(16);
  dirty.writeUInt32LE(1, 0);
  dirty.writeBigUInt64LE(behind(16, compat), 8);
  const range = Buffer.alloc(16);
  range.writeBigUInt64LE(1n, 8);
  expect(await filterCtl(l.guest, data.path, ctlCommand.cbtDirty, dirty, { ...compat, more: range })).toMatchObject({ error: null });

  const snapshot = await l.createSnapshot();
  const id = Buffer.from(snapshot.id.replaceAll('-', ''), 'hex');
  expect(await filterCtl(l.guest, data.path, ctlCommand.snapshotAdd, id, compat)).toMatchObject({ error: null });
  await snapshot.take();
  const shown = await filterCtl(l.guest, data.path, ctlCommand.snapshotInfo, Buffer.alloc(36), compat);
  expect(shown).toMatchObject({ error: null });
  expect(shown.out).toEqual((await filterCtl(l.guest, data.path, ctlCommand.snapshotInfo, Buffer.alloc(36))).out);

  const map = Buffer.alloc(16);
  map.writeUInt32LE(4, 4);
  map.writeBigUInt64LE(behind(16, compat), 8);
  const read = await filterCtl(l.guest, data.path, ctlCommand.cbtMap, map, { ...compat, more: Buffer.alloc(4) });
  expect(read).toMatchObject({ ret: 4, error: null });
  expect(read.out.subarray(16)).toEqual((await data.cbtMap(0, 4)));
  expect(read.out[16]).toBeGreaterThan(0);

  await snapshot.destroy();
  expect(await ioctl(l.guest, data.path, filterCommand.detach, name, compat)).toMatchObject({ error: null });
  expect(await data.sysfsFilter()).toBe('\n');
});

test('a bad pointer of a 32-bit program is EFAULT', { meta: { spec: ['ABI-03', 'FLT-03'] } }, async ({ lab }) => {
  const l = await lab();
  const data = l.disk('data');
  for (const command of Object.values(filterCommand)) {
    for (const pointer of [0n, badPointer, 0xffff_f000n]) {
      expect(await ioctl(l.guest, data.path, command, pointer, compat), `${command.toString(16)} at ${pointer}`).toMatchObject({ error: 'EFAULT' });
    }
  }
});

test('each command of the control device does for a 32-bit program what it does for a 64-bit one, or is ENOTTY', { meta: { spec: ['ABI-03', 'SNP-04'] } }, async ({ lab }) => {
  const l = await lab();
  const snapshot = await l.createSnapshot();
  const collect = (pointer: bigint): Buffer => {
    const bytes = Buffer.alloc(16 + 16);
    bytes.writeUInt32LE(1, 0);
    bytes.writeBigUInt64LE(pointer, 8);
    return bytes;
  };
  const argument: Record<keyof typeof controlCommand, (is: { compat?: boolean }) => Buffer> = {
    version: () => Buffer.alloc(8),
    create: () => Buffer.alloc(32, 0xff),
    destroy: () => Buffer.alloc(16, 7),
    take: () => Buffer.from(snapshot.id.replaceAll('-', ''), 'hex'),
    collect: (is) => collect(behind(16, is) - 48n),
    waitEvent: () => Buffer.alloc(4096, 7),
  };
  for (const [name, command] of Object.entries(controlCommand) as [keyof typeof controlCommand, number][]) {
    const native = await ioctl(l.guest, '/dev/blksnap-control', command, argument[name]({}));
    const answer = await ioctl(l.guest, '/dev/blksnap-control', command, argument[name](compat), compat);
    if (answer.error === 'ENOTTY') continue;
    expect(answer, name).toMatchObject({ ret: native.ret, error: native.error });
    // But for the pointer.
    expect(answer.out.subarray(16), name).toEqual(native.out.subarray(16));
  }
  // What a 32-bit compiler would make of the structure without alignment is another command.
  expect(await ioctl(l.guest, '/dev/blksnap-control', 0x800c_5604, Buffer.alloc(12), compat)).toMatchObject({ error: 'ENOTTY' });
});

/** Numbers that break what adds, multiplies or allocates by them. */
const edges32 = [0, 1, 15, 16, 35, 36, 40, 48, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff];
const edges64 = [0n, 1n, 511n, badPointer, 1n << 31n, 1n << 32n, 1n << 63n, (1n << 64n) - 1n, 0xffff_8880_0000_0000n, behind(0), behind(16)];
/** None of them says that memory or time ran out. */
const defined = [null, 'EINVAL', 'EFAULT', 'ENOTTY', 'ENOENT', 'ESRCH', 'EBADF', 'ENODATA', 'EBUSY', 'EOVERFLOW', 'ERANGE', 'E2BIG', 'ENODEV'];

/** A structure of random bytes, of which some words are edges. */
function anyBytes(random: Rng, length: number): Buffer {
  const bytes = Buffer.from(random.bytes(length));
  for (let at = 0; at + 8 <= length; at += 8) {
    const choice = random.below(4);
    if (choice === 0) bytes.writeBigUInt64LE(random.pick(edges64), at);
    if (choice === 1) bytes.writeUInt32LE(random.pick(edges32), at + 4 * random.below(2));
  }
  return bytes;
}

for (const gate of ['64-bit', '32-bit'] as const) {
  test(`arguments at random get a defined answer from every command, through the ${gate} gate`, { meta: { spec: ['ABI-03'] } }, async ({ lab, random }) => {
    const l = await lab();
    const data = l.disk('data');
    await l.attach(data);
    await l.createSnapshot();
    const references = await moduleReferences(l);
    const calls: string[] = [];
    for (let round = 0; round < 24; round++) {
      for (const command of Object.values(controlCommand)) calls.push(`/dev/blksnap-control ${command} ${anyBytes(random, Math.min(64, command >>> 16 & 0x3fff)).toString('hex')}`);
      const ctl = Buffer.concat([filterName('blksnap'), anyBytes(random, 16), anyBytes(random, 64)]);
      ctl.writeUInt32LE(round % 6, 32);
      if (round % 2) ctl.writeUInt32LE(64, 36);
      if (round % 4 > 1) ctl.writeBigUInt64LE(behind(0, { compat: gate === '32-bit' }), 40);
      calls.push(`${data.path} ${filterCommand.ctl} ${ctl.toString('hex')}`);
      for (const command of [filterCommand.attach, filterCommand.detach]) calls.push(`${data.path} ${command} ${anyBytes(random, 32).toString('hex')}`);
    }
    const flags = gate === '32-bit' ? '--compat' : '';
    const script = `while read path command hex; do blkio ioctl --rdonly ${flags} $path $command $hex; done`;
    const { stdout } = await l.guest.sh(script, { stdin: `${calls.join('\n')}\n`, timeoutMs: 90_000 });
    const answers = stdout.toString().trim().split('\n').map((line) => JSON.parse(line) as { ret: number; error: string | null });
    expect(answers).toHaveLength(calls.length);
    answers.forEach(({ ret, error }, index) => {
      expect(defined, calls[index]).toContain(error);
      if (error === null) expect(ret, calls[index]).toBeGreaterThanOrEqual(0);
    });
    expect(await data.sysfsFilter()).toBe('blksnap\n');
    expect(await moduleReferences(l)).toBe(references);
    await data.write(0, new Uint8Array(512));
  });
}
