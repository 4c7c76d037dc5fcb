// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: opens what a snapshot keeps its differences in.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "storage.h"
#include "tool.h"

/* Bytes of difference storage if it sets no limit by itself: 1 TiB. */
#define UNLIMITED_BYTES	0x10000000000ULL

int storage_open(const char *path, struct storage *storage)
{
	int flags = O_RDWR | O_EXCL | O_CLOEXEC;
	struct stat status = { };

	*storage = (struct storage){ .fd = -1, .path = path };
	if (!stat(path, &status)) {
		if (S_ISDIR(status.st_mode))
			flags |= O_TMPFILE;
	} else if (errno == ENOENT) {
		flags |= O_CREAT;
		storage->created = true;
	} else {
		return fail("stat", path);
	}

	storage->fd = open(path, flags, 0600);
	if (storage->fd < 0)
		return fail("open", path);

	storage->capacity = UNLIMITED_BYTES;
	if (S_ISBLK(status.st_mode) &&
	    ioctl(storage->fd, BLKGETSIZE64, &storage->capacity))
		return fail("BLKGETSIZE64", path);
	return 0;
}

void storage_discard(const struct storage *storage)
{
	if (storage->created)
		unlink(storage->path);
}
