/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: what the two halves of the difference area share. All functions but
 * diff_area_put_copy() and the work are called with the area's lock held.
 */
#ifndef BLKSNAP_DIFF_AREA_PRIV_H
#define BLKSNAP_DIFF_AREA_PRIV_H

#include <linux/list.h>
#include <linux/types.h>

struct diff_area;
struct diff_copy;
struct work_struct;

/**
 * struct diff_reader - somebody reads a chunk from the device for the image
 * @hash:	entry in the area's readers
 * @chunk:	which chunk
 */
struct diff_reader {
	struct hlist_node hash;
	u64 chunk;
};

void diff_area_kick_work(struct work_struct *work);

/* Something has changed that writes or the image may wait for. */
void diff_area_changed(struct diff_area *area);

struct diff_copy *diff_area_find_copy(struct diff_area *area, u64 chunk);
bool diff_area_is_copied(struct diff_area *area, u64 chunk);

/*
 * Start to copy a chunk that is neither stored nor being copied: put the copy
 * on @reads, to be submitted after the lock is dropped.
 * Return: 0, -EAGAIN if diff_area_changed() will come before it can succeed,
 * -ENOSPC if the storage is full.
 */
int diff_area_start_copy(struct diff_area *area, u64 chunk,
			 struct list_head *reads);

/* Stop using the memory of a copy whose users were raised under the lock. */
void diff_area_put_copy(struct diff_area *area, struct diff_copy *copy);

#endif /* BLKSNAP_DIFF_AREA_PRIV_H */
