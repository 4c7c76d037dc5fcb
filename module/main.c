// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: snapshots and changed-block tracking of block devices, on top of
 * block device filters.
 */
#include <linux/module.h>
#include "control.h"
#include "image.h"
#include "tracker.h"
#include "version.h"

static int __init blksnap_init(void)
{
	int ret;

	ret = tracker_init();
	if (ret)
		return ret;
	ret = image_init();
	if (ret)
		goto out_tracker;
	ret = control_init();
	if (ret)
		goto out_image;
	/* From here on the module stays. */
	tracker_open();
	return 0;

out_image:
	image_exit();
out_tracker:
	tracker_exit();
	return ret;
}

static void __exit blksnap_exit(void)
{
	control_exit();
	/* Waits for the disks that somebody still has, and those for trackers. */
	image_exit();
	tracker_exit();
}

module_init(blksnap_init);
module_exit(blksnap_exit);

MODULE_DESCRIPTION("Snapshots and changed-block tracking of block devices");
MODULE_VERSION(BLKSNAP_VERSION_STRING);
MODULE_LICENSE("GPL");
