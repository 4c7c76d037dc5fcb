// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: image device.
 *
 * A bio is handed to a worker, because reading and writing the difference area
 * sleep. The disk belongs to its openers as well; what is freed when the last
 * of them leaves is only the memory, the area's I/O has ended before.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/idr.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include "diff_area.h"
#include "geometry.h"
#include "image.h"
#include "tracker.h"

#define IMAGE_DISK_PREFIX	"blksnap-image"
#define IMAGE_WORKS_RESERVED	4

/**
 * struct image - image device
 * @area:	what it shows, a reference
 * @disk:	the device
 * @index:	number in the name and the minor
 * @wq:		runs its works, so that one whose device is stuck stops no other
 * @works:	where they are from
 * @gate_open:	I/O may start
 * @removed:	the device goes
 * @running:	bios that were accepted and are not completed
 * @wait:	woken when any of these changes
 */
struct image {
	struct diff_area *area;
	struct gendisk *disk;
	int index;
	struct workqueue_struct *wq;
	mempool_t works;
	bool gate_open;
	bool removed;
	atomic_t running;
	wait_queue_head_t wait;
};

struct image_work {
	struct work_struct work;
	struct image *image;
	struct bio *bio;
};

/* An image's open_mutex is outside of that of the device that it shows. */
static struct lock_class_key image_open_key;
static int image_major;
static DEFINE_IDA(image_ida);
/* Disks that are not freed yet: the last user may be late. */
static atomic_t image_disks = ATOMIC_INIT(0);

static int image_do_piece(struct diff_area *area, struct bio *bio,
			  struct bvec_iter iter)
{
	if (op_is_write(bio_op(bio)))
		return diff_area_write_image(area, bio, iter);
	return diff_area_read_image(area, bio, iter);
}

/* Chunk by chunk. */
static int image_do_bio(struct diff_area *area, struct bio *bio)
{
	struct bvec_iter rest = bio->bi_iter;
	int ret = 0;

	while (rest.bi_size && !ret) {
		u64 chunk = blksnap_unit_of(rest.bi_sector, area->shift);
		sector_t end = blksnap_unit_start(chunk + 1, area->shift);
		u64 room = (end - rest.bi_sector) << SECTOR_SHIFT;
		struct bvec_iter piece = rest;

		piece.bi_size = min_t(u64, rest.bi_size, room);
		ret = image_do_piece(area, bio, piece);
		bio_advance_iter(bio, &rest, piece.bi_size);
	}
	return ret;
}

static void image_work(struct work_struct *work)
{
	struct image_work *iw = container_of(work, struct image_work, work);
	struct image *image = iw->image;
	struct bio *bio = iw->bio;
	int ret = -EIO;

	wait_event(image->wait,
		   READ_ONCE(image->gate_open) || READ_ONCE(image->removed));
	if (!READ_ONCE(image->removed))
		ret = image_do_bio(image->area, bio);
	bio->bi_status = errno_to_blk_status(ret);
	bio_endio(bio);

	/*
	 * Not before: a new work at the place of one that runs is taken for the
	 * same one, and waits for its end.
	 */
	mempool_free(iw, &image->works);

	/* The disk is there as long as image_remove() waits for this. */
	if (atomic_dec_and_test(&image->running))
		wake_up_var(&image->running);
}

static void image_submit_bio(struct bio *bio)
{
	struct image *image = bio->bi_bdev->bd_disk->private_data;
	struct image_work *iw;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		break;
	default:
		bio->bi_status = BLK_STS_NOTSUPP;
		bio_endio(bio);
		return;
	}

	iw = mempool_alloc(&image->works, GFP_NOIO);
	INIT_WORK(&iw->work, image_work);
	iw->image = image;
	iw->bio = bio;
	atomic_inc(&image->running);
	queue_work(image->wq, &iw->work);
}

static void image_free_disk(struct gendisk *disk)
{
	struct image *image = disk->private_data;

	ida_free(&image_ida, image->index);
	diff_area_put(image->area);
	mempool_exit(&image->works);
	kfree(image);
	if (atomic_dec_and_test(&image_disks))
		wake_up_var(&image_disks);
}

static int image_open(struct gendisk *disk, blk_mode_t mode)
{
	struct image *image = disk->private_data;

	return diff_area_open_device(image->area);
}

static void image_release(struct gendisk *disk)
{
	struct image *image = disk->private_data;

	diff_area_close_device(image->area);
}

static const struct block_device_operations image_fops = {
	.owner = THIS_MODULE,
	.submit_bio = image_submit_bio,
	.open = image_open,
	.release = image_release,
	.free_disk = image_free_disk,
};

bool image_is(struct block_device *bdev)
{
	return bdev->bd_disk->fops == &image_fops;
}

static struct gendisk *image_alloc_disk(struct block_device *bdev)
{
	struct queue_limits lim = {
		.logical_block_size = bdev_logical_block_size(bdev),
		.physical_block_size = bdev_physical_block_size(bdev),
		.io_min = bdev_physical_block_size(bdev),
		/* Readers' memory goes to the device as it is. */
		.dma_alignment = bdev_dma_alignment(bdev),
	};

	return blk_alloc_disk(&lim, NUMA_NO_NODE);
}

int image_create(struct diff_area *area, struct block_device *bdev)
{
	struct gendisk *disk;
	struct image *image;
	int ret;

	image = kzalloc(sizeof(*image), GFP_KERNEL);
	if (!image)
		return -ENOMEM;
	init_waitqueue_head(&image->wait);
	image->area = area;
	ret = ida_alloc_max(&image_ida, MINORMASK, GFP_KERNEL);
	if (ret < 0)
		goto out_free;
	image->index = ret;
	ret = mempool_init_kmalloc_pool(&image->works, IMAGE_WORKS_RESERVED,
					sizeof(struct image_work));
	if (ret)
		goto out_ida;
	image->wq = alloc_workqueue(IMAGE_DISK_PREFIX "%d",
				    WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
				    image->index);
	if (!image->wq) {
		ret = -ENOMEM;
		goto out_pool;
	}

	disk = image_alloc_disk(bdev);
	if (IS_ERR(disk)) {
		ret = PTR_ERR(disk);
		goto out_wq;
	}
	lockdep_set_class(&disk->open_mutex, &image_open_key);
	snprintf(disk->disk_name, DISK_NAME_LEN, IMAGE_DISK_PREFIX "%d",
		 image->index);
	disk->major = image_major;
	disk->first_minor = image->index;
	disk->minors = 1;
	disk->flags = GENHD_FL_NO_PART;
	disk->fops = &image_fops;
	disk->private_data = image;
	image->disk = disk;
	set_capacity(disk, area->capacity);

	ret = add_disk(disk);
	if (ret)
		goto out_disk;
	diff_area_get(area);
	atomic_inc(&image_disks);
	area->image = image;
	diff_area_set_image_name(area, disk->disk_name);
	return 0;

out_disk:
	/* ->free_disk() is not called for a disk that was never added. */
	put_disk(disk);
out_wq:
	destroy_workqueue(image->wq);
out_pool:
	mempool_exit(&image->works);
out_ida:
	ida_free(&image_ida, image->index);
out_free:
	kfree(image);
	return ret;
}

void image_open_gate(struct diff_area *area)
{
	struct image *image = area->image;

	WRITE_ONCE(image->gate_open, true);
	wake_up_all(&image->wait);
}

void image_remove(struct diff_area *area)
{
	struct image *image = area->image;
	struct gendisk *disk = image->disk;

	area->image = NULL;
	diff_area_set_image_name(area, "");
	WRITE_ONCE(image->removed, true);
	wake_up_all(&image->wait);

	/* A file system on the image learns of it before it tries to write. */
	blk_mark_disk_dead(disk);
	del_gendisk(disk);
	/* Who has it open is to get errors, not what looks like its end. */
	set_capacity(disk, area->capacity);
	wait_var_event(&image->running, !atomic_read(&image->running));
	destroy_workqueue(image->wq);
	diff_area_let_device_go(area);
	put_disk(disk);
}

int image_init(void)
{
	int ret = register_blkdev(0, IMAGE_DISK_PREFIX);

	if (ret < 0)
		return ret;
	image_major = ret;
	return 0;
}

void image_exit(void)
{
	wait_var_event(&image_disks, !atomic_read(&image_disks));
	unregister_blkdev(image_major, IMAGE_DISK_PREFIX);
	ida_destroy(&image_ida);
}
