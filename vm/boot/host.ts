/** Facts about the host that decide how machines are run; each is asked once per process. */
import { cpus, release } from 'node:os';
import { exec } from '../proc/exec.js';

let version: Promise<string> | undefined;

/** QEMU's version with its packaging, such as "7.2.22 (Debian 1:7.2+dfsg-7)". */
export function qemuVersion(): Promise<string> {
  version ??= exec(['qemu-system-x86_64', '--version'], { phase: 'qemu', timeoutMs: 20_000 })
    .then(({ stdout }) => /version (.*)/.exec(stdout)?.[1]?.trim() ?? 'unknown');
  version.catch(() => {
    version = undefined;
  });
  return version;
}

/** What KVM's behaviour depends on besides QEMU. */
export function hostKey(): string {
  return `${release()}/${cpus()[0]?.model ?? 'unknown'}`;
}
