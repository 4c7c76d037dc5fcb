/** What is done inside virtme-ng's init, by the shell that runs it: bash reads this first, because the kernel hands
 *  BASH_ENV from its command line to init. At the place where the init would start a shell on the console, our agent
 *  takes over as process 1. */

export interface HookPaths {
  /** Folder of the static guest programs, the agent among them. */
  readonly toolsDir: string;
  /** Folder of the kernel's own .ko files. */
  readonly modulesDir: string;
  /** Static, for commands that the host's root lacks. */
  readonly busybox: string;
}

/** Where the guest has them; agent/setup.c has the folders in its PATH. */
export const TOOLS_IN_GUEST = '/run/tools';

/** Commands of the suites that a host without kmod, say, does not have; the host's own come first in PATH. */
const FALLBACKS = ['insmod', 'rmmod', 'lsmod', 'losetup', 'blockdev'];

/** The script; pure. Folders are opened before the init mounts anything, for it may hide them (a cache below /tmp).
 *  udev and its like are left out: they would open and probe the disks that tests count requests on. */
export function hookScript({ toolsDir, modulesDir, busybox }: HookPaths): string {
  return `unset BASH_ENV
exec 7< ${quote(busybox)} 8< ${quote(modulesDir)} 9< ${quote(toolsDir)}
function systemd-tmpfiles { :; }
function udevadm { :; }
function deallocvt { :; }
function /usr/lib/systemd/systemd-udevd { :; }
function /lib/systemd/systemd-udevd { :; }
function /sbin/udevd { :; }
function setsid {
  mkdir -p ${TOOLS_IN_GUEST} /run/fallback "/lib/modules/$(uname -r)"
  cat <&7 > /run/fallback/busybox
  chmod 755 /run/fallback/busybox
  for name in ${FALLBACKS.join(' ')}; do ln -s busybox "/run/fallback/$name"; done
  mount --bind /proc/self/fd/8 "/lib/modules/$(uname -r)"
  mount --bind /proc/self/fd/9 ${TOOLS_IN_GUEST}
  exec 7<&- 8<&- 9<&-
  unset -f setsid
  exec ${TOOLS_IN_GUEST}/agent
}
`;
}

function quote(path: string): string {
  return `'${path.replaceAll(`'`, `'\\''`)}'`;
}
