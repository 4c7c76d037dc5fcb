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

/* Whether what @storage takes, or an area that was reached, is written here. */
static bool is_written_to(struct diff_storage *storage,
			  struct block_device *bdev)
{
	struct diff_area *area;

	if (diff_storage_is_on(storage, bdev))
		return true;
	list_for_each_entry(area, &storage_order_areas, order_link)
		if (area->is_reached && diff_storage_is_on(area->storage, bdev))
			return true;
	return false;
}

/* Find one more area that is written to. */
static bool reach_another(struct diff_storage *storage)
{
	struct diff_area *area;

	list_for_each_entry(area, &storage_order_areas, order_link) {
		struct block_device *bdev;

		if (area->is_reached)
			continue;
		bdev = tracker_get_bdev(area->tracker);
		if (!bdev)
			continue;
		area->is_reached = is_written_to(storage, bdev);
		put_device(&bdev->bd_device);
		if (area->is_reached)
			return true;
	}
	return false;
}

int storage_order_enter(struct diff_area *area)
{
	struct block_device *bdev = area->tracker->flt.bdev;
	struct diff_area *other;
	int ret = 0;

	mutex_lock(&storage_order_lock);
	list_for_each_entry(other, &storage_order_areas, order_link)
		other->is_reached = false;
	while (reach_another(area->storage))
		;
	if (is_written_to(area->storage, bdev))
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
