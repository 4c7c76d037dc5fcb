// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: storage order.
 */
#include <linux/blkdev.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include "diff_area.h"
#include "diff_storage.h"
#include "storage_order.h"
#include "tracker.h"

static DEFINE_MUTEX(storage_order_lock);
static LIST_HEAD(storage_order_areas);

/*
 * Whether writes that @area has seen may wait in @other: one of them is a whole
 * disk, the other a partition of it, and got its filter later.
 */
static bool hands_on_to(struct diff_area *area, struct diff_area *other,
			struct block_device *bdev_of_other)
{
	struct block_device *bdev = tracker_get_bdev(area->tracker);
	bool ret;

	if (!bdev)
		return false;
	ret = bdev->bd_disk == bdev_of_other->bd_disk &&
	      bdev_is_partition(bdev) != bdev_is_partition(bdev_of_other) &&
	      (s16)(other->tracker->flt.seq - area->tracker->flt.seq) > 0;
	put_device(&bdev->bd_device);
	return ret;
}

static bool waits_for(struct diff_area *area, struct diff_area *other,
		      struct block_device *bdev_of_other)
{
	return diff_storage_is_on(area->storage, bdev_of_other) ||
	       hands_on_to(area, other, bdev_of_other);
}

/* Whether @area, or one that was reached from it, waits for @other. */
static bool comes_to(struct diff_area *area, struct diff_area *other)
{
	struct block_device *bdev = tracker_get_bdev(other->tracker);
	struct diff_area *reached;
	bool ret;

	if (!bdev)
		return false;
	ret = waits_for(area, other, bdev);
	list_for_each_entry(reached, &storage_order_areas, order_link)
		if (reached->is_reached && waits_for(reached, other, bdev))
			ret = true;
	put_device(&bdev->bd_device);
	return ret;
}

/* Find one more area that @area waits for. */
static bool reach_another(struct diff_area *area)
{
	struct diff_area *other;

	list_for_each_entry(other, &storage_order_areas, order_link) {
		if (other->is_reached)
			continue;
		other->is_reached = comes_to(area, other);
		if (other->is_reached)
			return true;
	}
	return false;
}

int storage_order_enter(struct diff_area *area)
{
	struct diff_area *other;
	int ret = 0;

	mutex_lock(&storage_order_lock);
	list_for_each_entry(other, &storage_order_areas, order_link)
		other->is_reached = false;
	while (reach_another(area))
		;
	if (comes_to(area, area))
		ret = -EDEADLK;
	else
		list_add(&area->order_link, &storage_order_areas);
	mutex_unlock(&storage_order_lock);
	return ret;
}

void storage_order_leave(struct diff_area *area)
{
	mutex_lock(&storage_order_lock);
	list_del(&area->order_link);
	mutex_unlock(&storage_order_lock);
}
