/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnapctl: what a snapshot keeps its differences in.
 */
#ifndef BLKSNAPCTL_STORAGE_H
#define BLKSNAPCTL_STORAGE_H

#include <linux/types.h>
#include <stdbool.h>

/**
 * struct storage - an open file or device for differences
 *
 * @path: As given.
 * @capacity: Bytes of the device; for a file, more than it will ever need.
 * @fd: Open for reading and writing, exclusively.
 * @created: The file at @path has been made by storage_open().
 */
struct storage {
	const char *path;
	__u64 capacity;
	int fd;
	bool created;
};

/*
 * A folder gives a nameless file in it, a missing file is created, a file or
 * a block device is opened. Return: 0, or the exit status after fail().
 */
int storage_open(const char *path, struct storage *storage);
/* Takes back a file that was created in vain. Keeps nobody's data. */
void storage_discard(const struct storage *storage);

#endif /* BLKSNAPCTL_STORAGE_H */
