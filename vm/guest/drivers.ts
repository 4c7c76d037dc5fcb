/** The two ways to a running guest, behind one interface. */
import type { MachineSpec } from '../boot/spec.js';
import type { KernelBuild } from '../kernel/types.js';
import { bootGuest, type BootOptions } from './boot.js';
import type { Guest } from './guest.js';
import { bootVng } from './vng.js';

/** qemu: a small root of our own, restored from a checkpoint. vng: the host's root, booted. */
export const drivers = { qemu: bootGuest, vng: bootVng } as const;

export type DriverName = keyof typeof drivers;

export function openGuest(driver: DriverName, kernel: KernelBuild, spec: MachineSpec, options: BootOptions = {}): Promise<Guest> {
  return drivers[driver](kernel, spec, options);
}
