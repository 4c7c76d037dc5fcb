// SPDX-License-Identifier: GPL-2.0
/*
 * What a machine needs before programs can run: mounts, an environment, the control port.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "agent.h"

void die(const char *what)
{
	dprintf(2, "agent: %s: %s\n", what, strerror(errno));
	sync();
	/* init must not return: the kernel would panic with a less useful message. */
	reboot(RB_AUTOBOOT);
	_exit(1);
}

void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Optional knobs: a kernel without one is no reason to stop. */
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		dprintf(2, "agent: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Each mount of these makes a new one, so a second would hide the first. */
static int has_own(const char *type, const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return 0;
	return (!strcmp(type, "tmpfs") && fs.f_type == TMPFS_MAGIC) ||
	       (!strcmp(type, "devpts") && fs.f_type == DEVPTS_SUPER_MAGIC);
}

void mount_all(void)
{
	static const struct {
		const char *type, *where, *data;
	} table[] = {
		{ "proc", "/proc", NULL },
		{ "sysfs", "/sys", NULL },
		{ "devtmpfs", "/dev", NULL },
		{ "devpts", "/dev/pts", "mode=620,ptmxmode=666" },
		{ "tmpfs", "/tmp", "mode=1777" },
		{ "tmpfs", "/run", NULL },
		{ "tmpfs", "/mnt", NULL },
		{ "debugfs", "/sys/kernel/debug", NULL },
		{ "configfs", "/sys/kernel/config", NULL },
		{ "cgroup2", "/sys/fs/cgroup", NULL },
	};
	size_t i;

	/* What this kernel lacks, or has mounted already, is passed over: under virtme-ng its init came before us. */
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strcmp(table[i].type, "devpts"))
			mkdir(table[i].where, 0755);
		if (!has_own(table[i].type, table[i].where))
			mount(table[i].type, table[i].where, table[i].type, 0, table[i].data);
	}
}

void environment(void)
{
	struct rlimit files = { 65536, 65536 };

	/* What virtme-ng's init was given must not reach programs. */
	clearenv();
	/* Under virtme-ng (vm/boot/vng/hook.ts) our tools are in a folder of their own, and so is what the host may lack. */
	setenv("PATH", "/run/tools:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/fallback", 1);
	setenv("HOME", "/tmp", 1);
	setenv("TMPDIR", "/tmp", 1);
	setenv("LC_ALL", "C", 1);
	setenv("TERM", "dumb", 1);
	/* There is no udev: libdevmapper must make its own nodes. */
	setenv("DM_DISABLE_UDEV", "1", 1);
	setrlimit(RLIMIT_NOFILE, &files);
	umask(022);
	if (chdir("/tmp"))
		die("/tmp");
}

int port_open(const char *name)
{
	char path[300], found[64];
	struct dirent *entry;
	DIR *dir;
	int tries, fd;

	/* The port appears once its driver has asked the device; without a udev, look again. */
	for (tries = 0; tries < 2000; tries++) {
		dir = opendir("/sys/class/virtio-ports");
		while (dir && (entry = readdir(dir))) {
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			memset(found, 0, sizeof(found));
			if (read(fd, found, sizeof(found) - 1) < 0)
				found[0] = '\0';
			close(fd);
			found[strcspn(found, "\n")] = '\0';
			if (strcmp(found, name))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		usleep(1000);
	}
	errno = ENODEV;
	die("no control port");
	return -1;
}
