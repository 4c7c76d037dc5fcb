/** QEMU's command line under virtme-ng is its own where it lays out the root, and ours where it is about the lines to us.
 *  Method: the line that virtme-run 1.35 printed, pure. */
import { expect, test } from 'vitest';
import type { MachineArgs } from '../../../../../vm/boot/argv.js';
import { completeSpec } from '../../../../../vm/boot/spec.js';
import { splitShellWords, virtmeArgv, vngArgv, writableFolders } from '../../../../../vm/boot/vng/argv.js';

const PRINTED = '/usr/bin/qemu-system-x86_64 -name guest -m 512M -fsdev local,id=virtfs5,path=/,security_model=none,readonly=on,multidevs=remap '
  + '-device virtio-9p-pci,fsdev=virtfs5,mount_tag=/dev/root -device i6300esb,id=watchdog0 -machine q35 -parallel none -net none -echr 1 '
  + '-chardev file,path=/proc/self/fd/2,id=dmesg -device virtio-serial-pci -device virtconsole,chardev=dmesg '
  + '-chardev stdio,id=console,signal=off,mux=on -serial chardev:console -mon chardev=console -vga none -display none -smp 2 '
  + '-kernel /k/bzImage -append \'virtme_hostname=guest virtme_rw_overlay0=/etc console=hvc0 virtme_console=ttyS0 psmouse.proto=exps TERM=xterm '
  + 'virtme_root_user=1 rootfstype=9p rootflags=version=9p2000.L,trans=virtio,access=any ro quiet loglevel=1 init=/x/virtme/guest/virtme-init\'';

const args: MachineArgs = {
  accelerator: 'tcg',
  clock: ['tsc_early_khz=2596146'],
  spec: completeSpec({ disks: [{ name: 'data', sizeBytes: 4096 }] }),
  paths: {
    kernel: '/k/bzImage', root: '', qmpSocket: '/s/qmp', consoleSocket: '/s/console', portSocket: '/s/port',
    disk: (name) => `/d/${name}.disk`, diskSocket: (name) => `/d/${name}`, told: () => '',
  },
};
const line = vngArgv(splitShellWords(PRINTED), '/t/a hook', args);
const append = line[line.indexOf('-append') + 1] as string;

test('the root, read-only, is as virtme-run has it', () => {
  expect(line).toContain('local,id=virtfs5,path=/,security_model=none,readonly=on,multidevs=remap');
  expect(append).toContain('virtme_rw_overlay0=/etc');
  expect(append).toMatch(/rootflags=\S+,access=any,cache=loose /);
  expect(append.endsWith('init=/x/virtme/guest/virtme-init')).toBe(true);
});

test('console, monitor and control port are ours, and there is one of each', () => {
  const text = line.join(' ');
  expect(text).not.toMatch(/dmesg|stdio|mux=|-echr/);
  expect(line.filter((word) => word === '-serial')).toHaveLength(1);
  expect(text).toMatch(/socket,id=console,path=\/s\/console -serial chardev:console/);
  expect(text).toMatch(/virtserialport,chardev=port,name=agent/);
});

test('disks are those of the other driver', () => {
  expect(line.join(' ')).toMatch(/node-name=disk-data.*virtio-blk-pci,id=dev-data/);
});

test('the kernel speaks on the serial console and ends the machine on a panic; the hook is named to init\'s shell', () => {
  const words = append.split(' ');
  expect(words.filter((word) => word.startsWith('console='))).toEqual(['console=ttyS0']);
  expect(append).toContain('panic=-1 oops=panic');
  expect(words).toContain('tsc_early_khz=2596146');
  expect(append).not.toMatch(/loglevel|hvc0|TERM=/);
  expect(append).toContain('BASH_ENV="/t/a hook"');
});

test('a line without the init that the hook is made for is refused', () => {
  expect(() => vngArgv(splitShellWords(PRINTED.replace('virtme-init', 'virtme-ng-other')), '/h', args)).toThrow(/do not understand/);
});

test('virtme-ng is told not to try KVM, and not to use helpers of its own', () => {
  const words = virtmeArgv({ kernelImage: '/k', spec: args.spec, writable: ['/etc', '/home'] });
  expect(words).toEqual(expect.arrayContaining(['--disable-kvm', '--force-9p', '--dry-run']));
  expect(words.join(' ')).toContain('--overlay-rwdir /etc --overlay-rwdir /home');
});

test('every folder at the top becomes writable but those that the guest mounts itself', () => {
  expect(writableFolders(['usr', 'proc', 'work', 'sys', 'dev', 'run', 'tmp', 'a b'])).toEqual(['/usr', '/work']);
});

test.for([
  [`a 'b c' d`, ['a', 'b c', 'd']],
  [`'it'"'"'s' x`, [`it's`, 'x']],
  [`-append 'a="b c" d'`, ['-append', 'a="b c" d']],
  ['', []],
] as const)('shell words of %j', ([text, words]) => {
  expect(splitShellWords(text)).toEqual(words);
});

test('a quote that is left open is no line', () => {
  expect(() => splitShellWords(`a 'b`)).toThrow(RangeError);
});
