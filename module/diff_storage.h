/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: difference storage. The file or block device that overwritten chunks
 * go to, shared by all devices of a snapshot.
 *
 * Space is handed out from the start to the end and comes back when the storage
 * goes. A file is preallocated in portions ahead of need, by a worker. Writing
 * and reading go through the file's own I/O path.
 *
 * Locking: @lock (irq-safe) covers the account of space. Reads and writes of
 * one place are kept apart by the caller.
 */
#ifndef BLKSNAP_DIFF_STORAGE_H
#define BLKSNAP_DIFF_STORAGE_H

#include <linux/errseq.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct bio_vec;
struct block_device;
struct file;
struct inode;

/**
 * struct diff_storage - difference storage
 * @link:		entry in the list of all
 * @file:		where it lies, our own reference
 * @inode:		what has its data
 * @old_gfp:		how its page cache was allocated before it was ours
 * @wb_err:		what writing back its page cache had failed with before
 * @size_at_start:	size of a regular file when it was handed over, bytes
 * @writes_direct:	chunks are written past the page cache
 * @is_lost:		it does not hold any more what was stored
 * @portion:		sectors to grow by
 * @limit:		sectors that may be used at most
 * @lock:		protects the rest
 * @can_grow:		the file may get more space
 * @growing:		the worker is on its way
 * @capacity:		sectors that are certain to have space
 * @used:		sectors handed out
 * @grow_wq:		its own, as writers wait for it when memory is short
 * @grow_work:		preallocates the next portion
 * @grown:		called with @grown_arg after each try to grow; may sleep
 * @grown_arg:		argument of @grown
 */
struct diff_storage {
	struct list_head link;
	struct file *file;
	struct inode *inode;
	gfp_t old_gfp;
	errseq_t wb_err;
	loff_t size_at_start;
	bool writes_direct;
	bool is_lost;
	sector_t portion;
	sector_t limit;
	spinlock_t lock; /* irq-safe, for the account below */
	bool can_grow;
	bool growing;
	sector_t capacity;
	sector_t used;
	struct workqueue_struct *grow_wq;
	struct delayed_work grow_work;
	unsigned int grow_tries;
	sector_t asked;
	void (*grown)(void *arg);
	void *grown_arg;
};

/*
 * Take over the descriptor @fd as storage of at most @limit sectors.
 * Context: process of the owner of @fd, may sleep.
 * Return: the storage or an ERR_PTR(): -EBADF; -EINVAL if it is not a regular
 * file or a block device, was not opened for reading and writing, or is known
 * not to have been opened with O_EXCL; -EOPNOTSUPP if it is empty and its file
 * system cannot preallocate; -ENOSPC; -ENOMEM.
 */
struct diff_storage *diff_storage_create(int fd, sector_t limit,
					 void (*grown)(void *arg), void *arg);

/* Give back all space. No I/O may be running. Context: may sleep. */
void diff_storage_destroy(struct diff_storage *storage);

/*
 * Whether the storage lies on @bdev, directly or in a file, on the same sectors
 * of a disk or on devices that are made of it. A loop device hides what is below
 * it. Context: may sleep; @bdev is held by the caller.
 */
bool diff_storage_is_on(struct diff_storage *storage,
			struct block_device *bdev);

/* The same for the storage of any snapshot there is. */
bool diff_storage_any_on(struct block_device *bdev);

/*
 * Get space for @nr sectors, aligned to a page. Context: any, does not sleep.
 * Return: 0 and the place in @sector, -EAGAIN if there will be space or an
 * error when @grown is called, -ENOSPC.
 */
int diff_storage_alloc(struct diff_storage *storage, sector_t nr,
		       sector_t *sector);

/*
 * Write or read @len bytes at @pos (bytes). A chunk as a whole is written with
 * @direct, and is aligned to a page then. Context: sleeps, no locks held.
 * Return: 0 or a negative errno; a short transfer is -EIO. So is every one from
 * when the file was cut, or something that seemed to be written was not.
 */
int diff_storage_write(struct diff_storage *storage, loff_t pos,
		       const struct bio_vec *bvec, unsigned int nr_bvecs,
		       size_t skip, size_t len, bool direct);
/*
 * Whether the current task is in diff_storage_write(): what it submits must not
 * wait for those who wait for it. A file system may hand it to other tasks,
 * which is not seen.
 */
bool diff_storage_is_writing(void);

int diff_storage_sync(struct diff_storage *storage);
int diff_storage_read(struct diff_storage *storage, loff_t pos,
		      const struct bio_vec *bvec, unsigned int nr_bvecs,
		      size_t skip, size_t len);

#endif /* BLKSNAP_DIFF_STORAGE_H */
