/** From a machine's description to QEMU's command line; pure, so that it is tested without a machine. */
import type { FullDiskSpec, FullMachineSpec } from './spec.js';

export type AcceleratorName = 'tcg' | 'kvm';

export interface MachinePaths {
  readonly kernel: string;
  readonly root: string;
  /** Unix sockets on which we listen and to which QEMU connects. */
  readonly qmpSocket: string;
  readonly consoleSocket: string;
  readonly portSocket: string;
  /** Raw file of each disk. */
  readonly disk: (name: string) => string;
  /** Socket on which a programmable disk is served. */
  readonly diskSocket: (name: string) => string;
  /** File for what probes tell on a CPU. */
  readonly told: (cpu: number) => string;
}

export interface MachineArgs {
  readonly accelerator: AcceleratorName;
  /** What the guest's kernel is told about time, see clock/line.ts. */
  readonly clock: readonly string[];
  readonly spec: FullMachineSpec;
  readonly paths: MachinePaths;
  /** Descriptor from which saved state is loaded; undefined for a boot from nothing. */
  readonly incomingFd?: number;
}

/** Name of the control port; the agent looks for it. */
export const PORT_NAME = 'agent';

/** Where probes in the guest's kernel write to, and the ports behind it, one for each CPU. Nothing else is there. */
export const PROBE_PORT = 0x2a0;

/** oops=panic and panic=-1 with -no-reboot: QEMU ends at once after a panic or an oops. slub_debug: memory that was freed is
 *  poisoned, and what is around each piece too, so that its use is seen in a kernel that does not watch memory as well. */
const KERNEL_LINE_ARGS: readonly string[] = [
  'console=ttyS0', 'quiet', 'panic=-1', 'oops=panic', 'reboot=t',
  'tsc=reliable', 'no_timer_check', 'random.trust_cpu=on', 'sysrq_always_enabled',
  'slub_debug=FZP,kmalloc-*', 'sysctl.kernel.hung_task_panic=0', 'sysctl.kernel.hung_task_warnings=-1',
];
/** What every guest's kernel is told, however it is laid out. */
export function kernelLineArgs({ clock }: MachineArgs): string[] {
  return [...KERNEL_LINE_ARGS, ...clock];
}

const ROOT_LINE_ARGS = ['root=/dev/vda', 'ro', 'rootfstype=ext4', 'init=/sbin/agent'];

export function machineArgv(args: MachineArgs): string[] {
  const { spec, paths } = args;
  return [
    'qemu-system-x86_64', '-M', 'q35', '-no-user-config', '-nodefaults', '-display', 'none', '-no-reboot',
    ...acceleratorArgv(args.accelerator), '-smp', smp(spec.cpus), '-m', String(spec.memoryMiB),
    '-kernel', paths.kernel, '-append', [...kernelLineArgs(args), ...ROOT_LINE_ARGS].join(' '),
    ...linesArgv(paths),
    '-blockdev', `driver=raw,node-name=root,read-only=on,file.driver=file,file.locking=off,file.filename=${quote(paths.root)}`,
    '-device', 'virtio-blk-pci,drive=root,serial=root',
    ...disksArgv(args),
    ...probesArgv(args),
    ...(args.incomingFd === undefined ? [] : ['-incoming', `fd:${args.incomingFd}`]),
  ];
}

export function acceleratorArgv(accelerator: AcceleratorName): string[] {
  return accelerator === 'tcg' ? ['-accel', 'tcg,thread=multi', '-cpu', 'max'] : ['-accel', 'kvm', '-cpu', 'host'];
}

/** One CPU per socket: the firmware's MP table, from which a kernel without ACPI learns, lists one per package. */
export function smp(cpus: number): string {
  return `${cpus},sockets=${cpus},cores=1,threads=1`;
}

/** The lines between us and the machine: console, monitor, control port. */
export function linesArgv(paths: MachinePaths): string[] {
  return [
    '-chardev', `socket,id=console,path=${quote(paths.consoleSocket)}`, '-serial', 'chardev:console',
    '-chardev', `socket,id=qmp,path=${quote(paths.qmpSocket)}`, '-mon', 'chardev=qmp,mode=control',
    '-device', 'virtio-serial-pci',
    '-chardev', `socket,id=port,path=${quote(paths.portSocket)}`, '-device', `virtserialport,chardev=port,name=${PORT_NAME}`,
  ];
}

export function disksArgv({ spec, paths }: MachineArgs): string[] {
  const scsi = spec.disks.some((disk) => disk.bus === 'scsi');
  return [
    ...(scsi ? ['-device', 'virtio-scsi-pci,id=scsi'] : []),
    ...spec.disks.flatMap((disk, index) => diskArgv(disk, index, paths)),
  ];
}

function probesArgv({ spec, paths }: MachineArgs): string[] {
  if (!spec.hasProbes) return [];
  return Array.from({ length: spec.cpus }, (_, cpu) => [
    '-chardev', `file,id=told${cpu},path=${quote(paths.told(cpu))}`,
    '-device', `isa-debugcon,iobase=${PROBE_PORT + cpu},chardev=told${cpu}`,
  ]).flat();
}

/** Ids that QMP commands use. */
export const diskNode = (name: string): string => `disk-${name}`;
export const diskDevice = (name: string): string => `dev-${name}`;
/** What has the disk open: of virtio the device below the one of the bus. */
export const diskBackend = ({ name, bus }: Pick<FullDiskSpec, 'name' | 'bus'>): string => (
  bus === 'virtio' ? `/machine/peripheral/${diskDevice(name)}/virtio-backend` : diskDevice(name)
);

function diskArgv(disk: FullDiskSpec, index: number, paths: MachinePaths): string[] {
  const unmap = disk.discard ? 'unmap' : 'ignore';
  // The host page cache is used, so that the host may read the file while the guest runs.
  const file = disk.programmable
    ? `file.driver=nbd,file.export=${disk.name},file.server.type=unix,file.server.path=${quote(paths.diskSocket(disk.name))}`
    : `file.driver=file,file.discard=${unmap},file.locking=off,file.filename=${quote(paths.disk(disk.name))}`;
  const node = `driver=raw,node-name=${diskNode(disk.name)},discard=${unmap},detect-zeroes=off,${file}`;
  const common = `id=${diskDevice(disk.name)},drive=${diskNode(disk.name)},serial=${disk.name},`
    + `logical_block_size=${disk.logicalBlockSize},physical_block_size=${disk.logicalBlockSize}`
    // The guest is told of every error, and its requests come one by one as it sent them.
    + (disk.programmable ? ',rerror=report,werror=report' : '');
  const merging = disk.programmable ? ',request-merging=off' : '';
  const onOff = disk.discard ? 'on' : 'off';
  const device = disk.bus === 'virtio'
    ? `virtio-blk-pci,${common},discard=${onOff},write-zeroes=${onOff}${merging}`
    : `scsi-hd,bus=scsi.0,scsi-id=${index},${common}${disk.discard ? `,discard_granularity=${disk.logicalBlockSize}` : ''}`;
  return ['-blockdev', node, '-device', device];
}

/** QEMU's option lists separate by comma; a comma in a value is doubled. */
function quote(value: string): string {
  return value.replaceAll(',', ',,');
}
