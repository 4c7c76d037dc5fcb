// SPDX-License-Identifier: GPL-2.0
/*
 * files: what tests do with the files of a file system, and what is in them.
 *
 *	files work DIR				does what the lines of stdin say, one after the other
 *	files look DIR				tells what each file there holds
 *	files check TYPE DEV DIR [OPTIONS]	for each line of stdin: mounts, looks, unmounts
 *	files quota DEV USER KIB		what USER may have at most
 *	files bounded PROGRAM [WORD]...		runs it without the right to exceed quotas
 *
 * A file has blocks of 4 KiB. What is written is sectors that say who they are, the
 * file's number in place of the device. Lines of work, NAME being below DIR:
 *
 *	write NAME FILE BLOCK COUNT VERSION HOW	from BLOCK on; the file is made if it is missing
 *	replace NAME FILE COUNT VERSION		another file, synced, gets the name; then the folder is synced
 *	remove NAME				and the folder is synced
 *
 * HOW: none, fsync, fdatasync, dsync (O_DSYNC) or direct (O_DIRECT and O_DSYNC). Each line is
 * answered with {"done":N} when the kernel has promised what it asked for.
 *
 * look prints {"name":..,"bytes":..,"file":..,"blocks":[..]} for each file, by name: the
 * version of each block, 0 for zeroes, -1 for anything else; and then {"files":N}. check ends
 * each answer with {"end":true}. Trouble is {"error":..,"call":..,"subject":..} among the rest.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sector.h"

#define BLOCK_BYTES	4096
#define BLOCK_SECTORS	(BLOCK_BYTES / SECTOR_SIZE)
#define BLOCKS_MAX	1024
#define NAME_SIZE	64
#define LINE_SIZE	256

static __u8 *buffer;

static void tell_error(const char *call, const char *subject)
{
	printf("{\"error\":\"%s\",\"call\":\"%s\",\"subject\":\"%s\"}\n",
	       strerrorname_np(errno), call, subject);
	fflush(stdout);
}

static noreturn void fail(const char *call, const char *subject)
{
	tell_error(call, subject);
	exit(1);
}

static noreturn void usage(const char *text)
{
	fprintf(stderr, "files: %s\n", text);
	exit(2);
}

/* Working. */

static void sync_folder(int dir)
{
	if (fsync(dir))
		fail("fsync", "folder");
}

static void write_blocks(int fd, const char *name, __u32 file, __u64 block,
			 __u64 count, __u64 version)
{
	size_t length = count * BLOCK_BYTES;

	if (count > BLOCKS_MAX)
		usage("too many blocks");
	for (__u64 i = 0; i < count * BLOCK_SECTORS; i++)
		sector_make((struct sector *)buffer + i, file,
			    block * BLOCK_SECTORS + i, version);
	if (pwrite(fd, buffer, length, block * BLOCK_BYTES) != (ssize_t)length)
		fail("pwrite", name);
}

static int open_for(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | flags, 0644);

	if (fd < 0)
		fail("open", name);
	return fd;
}

static void work_write(int dir, const char *line)
{
	unsigned long long block, count, version;
	char name[NAME_SIZE], how[16];
	unsigned int file;
	int flags = 0;
	int fd;

	if (sscanf(line, "write %63s %u %llu %llu %llu %15s", name, &file,
		   &block, &count, &version, how) != 6)
		usage(line);
	if (!strcmp(how, "dsync"))
		flags = O_DSYNC;
	if (!strcmp(how, "direct"))
		flags = O_DSYNC | O_DIRECT;
	fd = open_for(dir, name, flags);
	write_blocks(fd, name, file, block, count, version);
	if (!strcmp(how, "fsync") && fsync(fd))
		fail("fsync", name);
	if (!strcmp(how, "fdatasync") && fdatasync(fd))
		fail("fdatasync", name);
	close(fd);
}

static void work_replace(int dir, const char *line)
{
	unsigned long long count, version;
	char name[NAME_SIZE], other[NAME_SIZE + 4];
	unsigned int file;
	int fd;

	if (sscanf(line, "replace %63s %u %llu %llu", name, &file, &count,
		   &version) != 4)
		usage(line);
	snprintf(other, sizeof(other), "%s.new", name);
	fd = open_for(dir, other, O_TRUNC);
	write_blocks(fd, other, file, 0, count, version);
	if (fsync(fd))
		fail("fsync", other);
	close(fd);
	if (renameat(dir, other, dir, name))
		fail("rename", other);
	sync_folder(dir);
}

static void work_remove(int dir, const char *line)
{
	char name[NAME_SIZE];

	if (sscanf(line, "remove %63s", name) != 1)
		usage(line);
	if (unlinkat(dir, name, 0))
		fail("unlink", name);
	sync_folder(dir);
}

static int run_work(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	char line[LINE_SIZE];
	unsigned long done = 0;

	if (dir < 0)
		fail("open", path);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "write ", 6))
			work_write(dir, line);
		else if (!strncmp(line, "replace ", 8))
			work_replace(dir, line);
		else if (!strncmp(line, "remove ", 7))
			work_remove(dir, line);
		else
			usage(line);
		printf("{\"done\":%lu}\n", ++done);
		if (fflush(stdout))
			return 1;
	}
	return 0;
}

/* Looking. */

static bool is_zero(const __u8 *block)
{
	return !block[0] && !memcmp(block, block + 1, BLOCK_BYTES - 1);
}

/* The version of a block; 0 if it is zeroes, -1 if it is not of this place. */
static long long version_of(const __u8 *bytes, __u64 block, __u32 file)
{
	const struct sector *seen = (const struct sector *)bytes;
	struct sector right;

	if (is_zero(bytes))
		return 0;
	for (unsigned int i = 0; i < BLOCK_SECTORS; i++) {
		sector_make(&right, file, block * BLOCK_SECTORS + i,
			    seen->version);
		if (memcmp(&right, seen + i, SECTOR_SIZE))
			return -1;
	}
	return seen->version;
}

/* The number of the file, by what its first block that is no zeroes says. */
static __u32 file_number(const __u8 *bytes, size_t blocks)
{
	for (size_t i = 0; i < blocks; i++)
		if (!is_zero(bytes + i * BLOCK_BYTES))
			return ((const struct sector *)
				(bytes + i * BLOCK_BYTES))->device;
	return 0;
}

/* Return: whether it could be read. */
static bool look_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);
	size_t blocks, done = 0;
	struct stat stat;
	__u32 file;

	if (fd < 0 || fstat(fd, &stat)) {
		tell_error("open", name);
		return false;
	}
	if (stat.st_size > BLOCKS_MAX * BLOCK_BYTES) {
		errno = EFBIG;
		tell_error("stat", name);
		close(fd);
		return false;
	}
	blocks = (stat.st_size + BLOCK_BYTES - 1) / BLOCK_BYTES;
	memset(buffer, 0, blocks * BLOCK_BYTES);
	while (done < (size_t)stat.st_size) {
		ssize_t ret = pread(fd, buffer + done, stat.st_size - done,
				    done);

		if (ret <= 0) {
			errno = ret ? errno : ENODATA;
			tell_error("read", name);
			close(fd);
			return false;
		}
		done += ret;
	}
	close(fd);
	file = file_number(buffer, blocks);
	printf("{\"name\":\"%s\",\"bytes\":%lld,\"file\":%u,\"blocks\":[",
	       name, (long long)stat.st_size, file);
	for (size_t i = 0; i < blocks; i++)
		printf("%s%lld", i ? "," : "",
		       version_of(buffer + i * BLOCK_BYTES, i, file));
	puts("]}");
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Return: whether all could be read. The last line tells how many there are. */
static bool look(const char *path)
{
	char *names[1024];
	size_t count = 0;
	bool ok = true;
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		tell_error("opendir", path);
		return false;
	}
	errno = 0;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG && count < 1024)
			names[count++] = strdup(entry->d_name);
	if (errno) {
		tell_error("readdir", path);
		ok = false;
	}
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++) {
		ok = ok && look_at(dirfd(dir), names[i]);
		free(names[i]);
	}
	closedir(dir);
	if (ok)
		printf("{\"files\":%zu}\n", count);
	fflush(stdout);
	return ok;
}

static int run_check(const char *type, const char *device, const char *dir,
		     const char *options)
{
	char line[LINE_SIZE];

	while (fgets(line, sizeof(line), stdin)) {
		if (mount(device, dir, type, 0, options)) {
			tell_error("mount", device);
		} else {
			look(dir);
			if (umount(dir))
				fail("umount", dir);
		}
		puts("{\"end\":true}");
		fflush(stdout);
	}
	return 0;
}

/* Quotas. */

static int run_quota(const char *device, const char *user, const char *kib)
{
	struct dqblk limits = {
		.dqb_bhardlimit = strtoull(kib, NULL, 10),
		.dqb_valid = QIF_BLIMITS,
	};

	if (quotactl(QCMD(Q_SETQUOTA, USRQUOTA), device, atoi(user),
		     (caddr_t)&limits))
		fail("quotactl", device);
	return 0;
}

static int run_bounded(char **argv)
{
	if (prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0))
		fail("prctl", "bounding set");
	execvp(argv[0], argv);
	fail("exec", argv[0]);
}

int main(int argc, char **argv)
{
	errno = posix_memalign((void **)&buffer, BLOCK_BYTES,
			       BLOCKS_MAX * BLOCK_BYTES);
	if (errno)
		fail("posix_memalign", "buffer");
	if (argc == 3 && !strcmp(argv[1], "work"))
		return run_work(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "look"))
		return !look(argv[2]);
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "check"))
		return run_check(argv[2], argv[3], argv[4],
				 argc == 6 ? argv[5] : "");
	if (argc == 5 && !strcmp(argv[1], "quota"))
		return run_quota(argv[2], argv[3], argv[4]);
	if (argc > 2 && !strcmp(argv[1], "bounded"))
		return run_bounded(argv + 2);
	usage("which command? See its source");
}
