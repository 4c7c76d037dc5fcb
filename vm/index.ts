/** The one door to vm/: get and build kernels, boot guests, talk to them. */
export * from './errors.js';
export * from './guest/errors.js';
export * from './units.js';
export { bootGuest, machineKind, warmCheckpoint, type BootOptions } from './guest/boot.js';
export { Guest, type GuestDisk, type RunningCommand, type RunOptions } from './guest/guest.js';
export { formatKlog, type KlogLine } from './guest/klog.js';
export type { RunResult } from './guest/result.js';
export type { DiskSpec, FullDiskSpec, MachineSpec } from './boot/spec.js';
export { detectAccelerator, rememberedAccelerator, type Accelerator } from './boot/probe.js';
export { qemuVersion } from './boot/host.js';
export { ensureRoot } from './root/root.js';
export { buildTools, compilerVersion } from './kernel/tool.js';
export type { KernelBuild, ModuleBuild, ToolsBuild } from './kernel/types.js';
export { cacheFolder } from './cache/folder.js';
export { onProcessEnd, runFolder, temporaryFolder } from './proc/cleanup.js';
export { attempt, exec, type ExecOptions, type ExecResult } from './proc/exec.js';
