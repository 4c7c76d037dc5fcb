/** What the guest's root file system holds; pure data. */

/** Programs taken from the host, with the libraries they need. */
export const HOST_PROGRAMS: readonly string[] = [
  'mkfs.ext4', 'e2fsck', 'tune2fs', 'dumpe2fs', 'mkfs.vfat', 'mkfs.xfs', 'xfs_repair', 'xfs_db', 'xfs_io',
  'losetup', 'blockdev', 'sfdisk', 'mount', 'umount', 'dmsetup', 'mdadm', 'fio',
];

/** The first that the host has becomes /bin/sh. klibc's is dash too, and starts in a fifth of the time, which is felt
 *  under TCG. Not busybox: its shell runs its own losetup, mount and so on, whatever PATH says. */
export const SHELLS: readonly string[] = ['/usr/lib/klibc/bin/sh', 'dash', 'bash'];

/** Without these the suites cannot run; of the others, a missing one fails only the test that uses it. */
export const REQUIRED_PROGRAMS: readonly string[] = [
  'mkfs.ext4', 'e2fsck', 'mkfs.xfs', 'xfs_repair', 'losetup', 'blockdev', 'sfdisk', 'dmsetup', 'fio',
];

export const FOLDERS: readonly string[] = [
  'bin', 'sbin', 'dev', 'etc', 'lib', 'lib64', 'mnt', 'proc', 'run', 'sys', 'tmp', 'usr/bin', 'usr/sbin', 'usr/lib', 'var',
  'lib/modules',
];

export const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/tmp:/bin/sh\n',
  'etc/group': 'root:x:0:\ndisk:x:6:\n',
  'etc/fstab': '',
};

/** Links whose place programs expect. */
export const LINKS: Readonly<Record<string, string>> = {
  'etc/mtab': '/proc/self/mounts',
  'sbin/fsck.ext4': '/usr/bin/e2fsck',
  'var/run': '/run',
  'var/tmp': '/tmp',
};

/** Room beyond the files themselves: inodes, directories, and rounding. */
export const IMAGE_SLACK_BYTES = 8 * 1024 * 1024;
