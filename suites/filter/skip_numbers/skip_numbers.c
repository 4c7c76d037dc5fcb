// SPDX-License-Identifier: GPL-2.0
/*
 * skip_numbers: as if so many filters had been attached to a disk and detached
 * again. Nothing may be attached to it or written meanwhile. Does so when it is
 * loaded.
 */
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/module.h>

static char *path;
module_param(path, charp, 0);
MODULE_PARM_DESC(path, "node of the disk");

static ushort by;
module_param(by, ushort, 0);
MODULE_PARM_DESC(by, "how many numbers are skipped");

static int __init skip_numbers_init(void)
{
	struct gendisk *disk;
	struct file *file;

	file = bdev_file_open_by_path(path, BLK_OPEN_READ, NULL, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	disk = file_bdev(file)->bd_disk;
	WRITE_ONCE(disk->filter_seq, disk->filter_seq + by);
	bdev_fput(file);
	return 0;
}
module_init(skip_numbers_init);

static void __exit skip_numbers_exit(void)
{
}
module_exit(skip_numbers_exit);

MODULE_DESCRIPTION("Skips numbers of a disk's filters");
MODULE_LICENSE("GPL");
