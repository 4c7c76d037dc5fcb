/** The command line says exactly what the machine description asks for. Method: pure, no machine is started. */
import { expect, test } from 'vitest';
import { machineArgv, type MachinePaths } from '../../../../vm/boot/argv.js';
import { completeSpec } from '../../../../vm/boot/spec.js';

const paths: MachinePaths = {
  kernel: '/k/bzImage', root: '/r,oot', qmpSocket: '/s/qmp', consoleSocket: '/s/console', portSocket: '/s/port', disk: (name) => `/d/${name}.disk`, diskSocket: (name) => `/s/disk-${name}`,
  told: (cpu) => `/t/cpu${cpu}`,
};
const argv = (spec: Parameters<typeof completeSpec>[0], incomingFd?: number): string => (
  machineArgv({ accelerator: 'tcg', clock: ['tsc_early_khz=2596146'], spec: completeSpec(spec), paths, ...(incomingFd === undefined ? {} : { incomingFd }) }).join(' '));

test('a disk of 4096-byte sectors shows them as logical and physical', () => {
  expect(argv({ disks: [{ name: 'a', sizeBytes: 8192, logicalBlockSize: 4096 }] })).toContain('logical_block_size=4096,physical_block_size=4096');
});

test('a disk discards unless told otherwise, and never turns zero writes into holes', () => {
  const text = argv({ disks: [{ name: 'a', sizeBytes: 4096 }, { name: 'b', sizeBytes: 4096, discard: false }] });
  expect(text).toContain('node-name=disk-a,discard=unmap,detect-zeroes=off');
  expect(text).toContain('node-name=disk-b,discard=ignore,detect-zeroes=off');
  expect(text).toMatch(/id=dev-a,\S*discard=on,write-zeroes=on/);
  expect(text).toMatch(/id=dev-b,\S*discard=off,write-zeroes=off/);
});

test('a programmable disk comes over its socket and tells the guest of every error; others are files', () => {
  const text = argv({ disks: [{ name: 'a', sizeBytes: 4096, programmable: true }, { name: 'b', sizeBytes: 4096 }] });
  expect(text).toMatch(/node-name=disk-a,\S*file\.driver=nbd,file\.export=a,file\.server\.type=unix,file\.server\.path=\/s\/disk-a /);
  expect(text).toMatch(/id=dev-a,\S*werror=report\S*request-merging=off/);
  expect(text).toMatch(/node-name=disk-b,\S*file\.filename=\/d\/b\.disk/);
});

test('the scsi controller is there only for a scsi disk', () => {
  expect(argv({ disks: [{ name: 'a', sizeBytes: 4096 }] })).not.toContain('virtio-scsi');
  expect(argv({ disks: [{ name: 'a', sizeBytes: 4096, bus: 'scsi' }] })).toMatch(/virtio-scsi-pci,id=scsi .*scsi-hd,bus=scsi\.0,/);
});

test('a comma in a path is doubled, as QEMU asks', () => {
  expect(argv({ disks: [] })).toContain('file.filename=/r,,oot');
});

test('only a restore has an incoming state', () => {
  expect(argv({ disks: [] })).not.toContain('-incoming');
  expect(argv({ disks: [] }, 3)).toContain('-incoming fd:3');
});

test('an oops ends the machine at once', () => {
  expect(argv({ disks: [] })).toMatch(/-no-reboot.*panic=-1 oops=panic/);
});

test('the guest is told about time what is known', () => {
  expect(argv({ disks: [] })).toMatch(/-append \S.* tsc_early_khz=2596146 .*-chardev/);
});

test.for([
  ['two disks of one name', { disks: [{ name: 'a', sizeBytes: 512 }, { name: 'a', sizeBytes: 512 }] }, /two disks/],
  ['half a sector', { disks: [{ name: 'a', sizeBytes: 700 }] }, /whole blocks of 512/],
  ['half a 4096-byte sector', { disks: [{ name: 'a', sizeBytes: 512, logicalBlockSize: 4096 as const }] }, /whole blocks of 4096/],
  ['a name that is none', { disks: [{ name: 'A b', sizeBytes: 512 }] }, /not a disk name/],
  ['the name of the root disk', { disks: [{ name: 'root', sizeBytes: 512 }] }, /not a disk name/],
] as const)('%s is refused', ([, spec, message]) => {
  expect(() => completeSpec(spec)).toThrow(message);
});

test('what probes tell on each CPU goes to a file of its own, and a machine without probes has no place for it', () => {
  const disks = [{ name: 'a', sizeBytes: 4096 }];
  expect(argv({ cpus: 2, disks, hasProbes: true })).toContain(
    '-chardev file,id=told0,path=/t/cpu0 -device isa-debugcon,iobase=672,chardev=told0 -chardev file,id=told1,path=/t/cpu1 -device isa-debugcon,iobase=673,chardev=told1');
  expect(argv({ disks })).not.toContain('told');
});

test('a small machine has as much memory to give on a flavour that needs more for itself', () => {
  expect(completeSpec({ disks: [], memoryMiB: 128 }).memoryMiB).toBe(128);
  expect(completeSpec({ disks: [], memoryMiB: 128 }, 'debug').memoryMiB).toBeGreaterThan(128);
});
