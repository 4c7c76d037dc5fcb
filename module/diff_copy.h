/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: the copy of one chunk on its way from the device to the difference
 * storage. Copies are made when a snapshot is taken and used again and again,
 * so that copying needs no memory, and their number is its bound.
 */
#ifndef BLKSNAP_DIFF_COPY_H
#define BLKSNAP_DIFF_COPY_H

#include <linux/atomic.h>
#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct diff_area;

/**
 * struct diff_copy - copy of a chunk
 * @area:	the device's part in its snapshot
 * @link:	entry in the area's free copies, or in a list of reads to submit
 * @hash:	entry in the area's copies, while in use
 * @chunk:	which chunk it is
 * @place:	first sector in the difference storage
 * @is_ready:	the old data is here. Under the area's lock.
 * @is_done:	it is stored, or never will be. Under the area's lock.
 * @users:	readers of the memory. Under the area's lock.
 * @parts:	parts of the read on their way, and one more while submitting
 * @error:	first error of a part, a negative errno
 * @work:	stores the copy
 * @nr_pages:	pages of a chunk
 * @pages:	the memory, one page each
 */
struct diff_copy {
	struct diff_area *area;
	struct list_head link;
	struct hlist_node hash;
	u64 chunk;
	sector_t place;
	bool is_ready;
	bool is_done;
	unsigned int users;
	atomic_t parts;
	int error;
	struct work_struct work;
	unsigned int nr_pages;
	struct bio_vec pages[] __counted_by(nr_pages);
};

/* Context: may sleep. Return: a copy for chunks of @area, or NULL. */
struct diff_copy *diff_copy_alloc(struct diff_area *area);
void diff_copy_free(struct diff_copy *copy);

/*
 * Read the chunk from the device. diff_area_copy_ready() is called when it is
 * here. Context: may sleep for I/O resources, allocates with GFP_NOIO.
 */
void diff_copy_read(struct diff_copy *copy);

/* Submit all of a list, which is empty afterwards. */
void diff_copy_read_all(struct list_head *copies);

#endif /* BLKSNAP_DIFF_COPY_H */
