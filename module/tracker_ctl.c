// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: commands for one device, through BLKFILTER_CTL.
 *
 * Context: process; no lock is held, so that user memory that is slow to come
 * stops nobody. The device may go meanwhile.
 */
#include <linux/blkdev.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/blksnap.h>
#include "cbt_map.h"
#include "diff_area.h"
#include "geometry.h"
#include "snapshot.h"
#include "tracker.h"

/* Ranges that one call may mark: 4 MiB of argument. */
#define DIRTY_RANGES_MAX	BIT(18)

static bool tracker_is_gone(struct tracker *tracker)
{
	return READ_ONCE(tracker->detaching);
}

static int ctl_cbtinfo(struct tracker *tracker, void __user *arg)
{
	struct blksnap_cbtinfo info;
	struct cbt_map *map;

	if (tracker_is_gone(tracker))
		return -ESRCH;
	map = tracker_get_map(tracker);
	cbt_map_info(map, &info);
	cbt_map_put(map);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static int ctl_cbtmap(struct tracker *tracker, void __user *arg)
{
	struct blksnap_cbtmap piece;
	struct cbt_map *map;
	int ret;

	if (copy_from_user(&piece, arg, sizeof(piece)))
		return -EFAULT;
	if (tracker_is_gone(tracker))
		return -ESRCH;
	map = tracker_get_map(tracker);
	ret = cbt_map_read(map, piece.offset, piece.length,
			   u64_to_user_ptr(piece.buffer));
	cbt_map_put(map);
	return ret;
}

static int ctl_cbtdirty(struct tracker *tracker, void __user *arg)
{
	sector_t capacity = bdev_nr_sectors(tracker->flt.bdev);
	struct blksnap_cbtdirty dirty;
	struct blksnap_sectors *ranges;
	int ret = 0;
	u32 i;

	if (copy_from_user(&dirty, arg, sizeof(dirty)))
		return -EFAULT;
	if (tracker_is_gone(tracker))
		return -ESRCH;
	if (!dirty.count)
		return 0;
	if (dirty.count > DIRTY_RANGES_MAX)
		return -EINVAL;

	ranges = kvmalloc_array(dirty.count, sizeof(*ranges), GFP_KERNEL);
	if (!ranges)
		return -ENOMEM;
	if (copy_from_user(ranges, u64_to_user_ptr(dirty.dirty_sectors),
			   array_size(dirty.count, sizeof(*ranges)))) {
		ret = -EFAULT;
		goto out_free;
	}
	for (i = 0; i < dirty.count; i++) {
		if (!blksnap_range_is_valid(ranges[i].offset, ranges[i].count,
					    capacity)) {
			ret = -EINVAL;
			goto out_free;
		}
	}
	for (i = 0; i < dirty.count; i++) {
		tracker_mark_both(tracker, ranges[i].offset, ranges[i].count);
		cond_resched();
		/* Nobody is there to hear whether it is done. */
		if (fatal_signal_pending(current))
			break;
	}
out_free:
	kvfree(ranges);
	return ret;
}

static int ctl_snapshotadd(struct tracker *tracker, void __user *arg)
{
	struct blksnap_snapshotadd add;
	uuid_t id;

	if (copy_from_user(&add, arg, sizeof(add)))
		return -EFAULT;
	import_uuid(&id, add.id);
	return snapshot_add(&id, tracker);
}

static int ctl_snapshotinfo(struct tracker *tracker, void __user *arg)
{
	struct blksnap_snapshotinfo info;
	struct diff_area *area;

	spin_lock(&tracker->lock);
	area = tracker->area;
	if (area)
		diff_area_get(area);
	spin_unlock(&tracker->lock);
	if (!area)
		return -ESRCH;
	diff_area_info(area, &info);
	diff_area_put(area);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static const struct {
	int (*run)(struct tracker *tracker, void __user *arg);
	u32 len;
} ctl_commands[] = {
	[blkfilter_ctl_blksnap_cbtinfo] = {
		ctl_cbtinfo, sizeof(struct blksnap_cbtinfo)
	},
	[blkfilter_ctl_blksnap_cbtmap] = {
		ctl_cbtmap, sizeof(struct blksnap_cbtmap)
	},
	[blkfilter_ctl_blksnap_cbtdirty] = {
		ctl_cbtdirty, sizeof(struct blksnap_cbtdirty)
	},
	[blkfilter_ctl_blksnap_snapshotadd] = {
		ctl_snapshotadd, sizeof(struct blksnap_snapshotadd)
	},
	[blkfilter_ctl_blksnap_snapshotinfo] = {
		ctl_snapshotinfo, sizeof(struct blksnap_snapshotinfo)
	},
};

int tracker_ctl(struct blkfilter *flt, unsigned int cmd, void __user *arg,
		u32 len)
{
	if (cmd >= ARRAY_SIZE(ctl_commands))
		return -ENOTTY;
	if (len < ctl_commands[cmd].len)
		return -EINVAL;
	return ctl_commands[cmd].run(tracker_of(flt), arg);
}
