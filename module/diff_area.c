// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: difference area: life, and the copying before writes. What the image
 * does with it is in diff_area_image.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "diff_area.h"
#include "diff_area_priv.h"
#include "diff_copy.h"
#include "diff_storage.h"
#include "event_queue.h"
#include "geometry.h"
#include "params.h"
#include "tracker.h"

/* Memory for copies of one device, bytes, and bounds of their number. */
#define COPIES_BYTES	(16U << 20)
#define COPIES_MIN	2U
#define COPIES_MAX	64U
/* Copies that one write may start ahead of the chunk that it waits for. */
#define COPIES_AHEAD	8
/* Chunks of a write to look at before others get the lock. */
#define ADMIT_BATCH	1024
#define BIOS_RESERVED	4

static void diff_area_drain_work(struct work_struct *work)
{
	struct diff_area *area =
		container_of(work, struct diff_area, drain_work);

	tracker_drain(area->tracker);

	spin_lock_irq(&area->lock);
	area->draining = false;
	diff_area_changed(area);
	spin_unlock_irq(&area->lock);
}

struct diff_area *diff_area_create(struct snapshot *snapshot,
				   struct tracker *tracker,
				   struct diff_storage *storage,
				   struct event_queue *events)
{
	struct block_device *bdev = tracker->flt.bdev;
	struct diff_area *area;

	area = kzalloc(sizeof(*area), GFP_KERNEL);
	if (!area)
		return NULL;
	kref_init(&area->kref);
	INIT_LIST_HEAD(&area->link);
	area->snapshot = snapshot;
	area->storage = storage;
	area->events = events;
	area->tracker = tracker;
	tracker_get(tracker);
	area->dev = bdev->bd_dev;
	area->diskseq = bdev->bd_disk->diskseq;
	snprintf(area->name, sizeof(area->name), "%pg", bdev);
	spin_lock_init(&area->lock);
	init_waitqueue_head(&area->wait);
	INIT_LIST_HEAD(&area->free_copies);
	INIT_LIST_HEAD(&area->waiting);
	INIT_WORK(&area->kick_work, diff_area_kick_work);
	INIT_WORK(&area->drain_work, diff_area_drain_work);
	hash_init(area->copies);
	hash_init(area->readers);
	return area;
}

static void diff_area_free(struct kref *kref)
{
	struct diff_area *area = container_of(kref, struct diff_area, kref);

	tracker_put(area->tracker);
	kfree(area);
}

void diff_area_get(struct diff_area *area)
{
	kref_get(&area->kref);
}

void diff_area_put(struct diff_area *area)
{
	kref_put(&area->kref, diff_area_free);
}

static int diff_area_alloc_copies(struct diff_area *area)
{
	unsigned int nr = clamp(COPIES_BYTES >> area->shift, COPIES_MIN,
				COPIES_MAX);

	nr = min_t(u64, nr, area->count);
	while (nr--) {
		struct diff_copy *copy = diff_copy_alloc(area);

		if (!copy)
			return -ENOMEM;
		list_add(&copy->link, &area->free_copies);
	}
	return 0;
}

int diff_area_prepare(struct diff_area *area, struct block_device *bdev)
{
	struct blksnap_granularity granularity;
	int ret;

	if (READ_ONCE(area->error))
		return -ENODEV;

	blksnap_chunk_granularity(&granularity);
	WRITE_ONCE(area->capacity, bdev_nr_sectors(bdev));
	area->shift = blksnap_unit_shift(&granularity, area->capacity);
	area->count = blksnap_unit_count(area->capacity, area->shift);
	area->draining = true;
	if (!area->count)
		return -ENODEV;

	ret = bioset_init(&area->bios, BIOS_RESERVED, 0, BIOSET_NEED_BVECS);
	if (ret)
		goto out_undo;
	ret = -ENOMEM;
	area->kick_wq = alloc_workqueue("blksnap-kick-%pg",
					WQ_MEM_RECLAIM | WQ_UNBOUND |
					WQ_HIGHPRI, 0, bdev);
	area->store_wq = alloc_workqueue("blksnap-store-%pg",
					 WQ_MEM_RECLAIM | WQ_UNBOUND, 0, bdev);
	/* Large as it may be, nobody is to be killed for it. */
	area->stored = kvcalloc(area->count, sizeof(*area->stored),
				GFP_KERNEL | __GFP_RETRY_MAYFAIL |
				__GFP_NOWARN);
	area->event = event_alloc(blksnap_event_code_corrupted,
				  sizeof(struct blksnap_event_corrupted));
	if (!area->kick_wq || !area->store_wq || !area->stored || !area->event)
		goto out_undo;
	ret = diff_area_alloc_copies(area);
	if (ret)
		goto out_undo;
	return 0;

out_undo:
	diff_area_unprepare(area);
	return ret;
}

void diff_area_unprepare(struct diff_area *area)
{
	struct diff_copy *copy, *next;
	struct event *event;

	if (area->kick_wq)
		destroy_workqueue(area->kick_wq);
	if (area->store_wq)
		destroy_workqueue(area->store_wq);
	area->kick_wq = NULL;
	area->store_wq = NULL;

	list_for_each_entry_safe(copy, next, &area->free_copies, link)
		diff_copy_free(copy);
	INIT_LIST_HEAD(&area->free_copies);
	kvfree(area->stored);
	area->stored = NULL;
	bioset_exit(&area->bios);
	WRITE_ONCE(area->capacity, 0);

	/* The device may go meanwhile, and look for it. */
	spin_lock_irq(&area->lock);
	event = area->event;
	area->event = NULL;
	area->is_armed = false;
	/* The next take is of the device as it is then, if it is. */
	if (!area->closed && area->error != -ENODEV)
		WRITE_ONCE(area->error, 0);
	spin_unlock_irq(&area->lock);
	kfree(event);
}

int diff_area_arm(struct diff_area *area)
{
	int ret = 0;

	spin_lock_irq(&area->lock);
	if (area->error)
		ret = area->error == -ENODEV ? -ENODEV : -EAGAIN;
	else
		area->is_armed = true;
	spin_unlock_irq(&area->lock);
	return ret;
}

sector_t diff_area_chunk_sectors(struct diff_area *area, u64 chunk)
{
	return blksnap_unit_sectors(chunk, area->shift, area->capacity);
}

/* Look at the waiting writes again. */
static void diff_area_kick(struct diff_area *area)
{
	queue_work(area->kick_wq, &area->kick_work);
}

void diff_area_changed(struct diff_area *area)
{
	lockdep_assert_held(&area->lock);

	WRITE_ONCE(area->changes, area->changes + 1);
	if (!list_empty(&area->waiting))
		diff_area_kick(area);
	wake_up_all(&area->wait);
}

void diff_area_storage_grown(struct diff_area *area)
{
	spin_lock_irq(&area->lock);
	diff_area_changed(area);
	spin_unlock_irq(&area->lock);
}

static void diff_area_fail_locked(struct diff_area *area, int error)
{
	struct blksnap_event_corrupted *data;

	lockdep_assert_held(&area->lock);

	if (area->error || area->closed)
		return;
	WRITE_ONCE(area->error, error);
	/* Before the cut there is no image yet to be lost. */
	if (!area->is_armed)
		return;

	pr_err("%s: the image is lost: %pe\n", area->name, ERR_PTR(error));
	data = (struct blksnap_event_corrupted *)area->event->data;
	data->dev_id_mj = MAJOR(area->dev);
	data->dev_id_mn = MINOR(area->dev);
	data->err_code = error;
	event_queue_add(area->events, area->event);
	area->event = NULL;
	diff_area_changed(area);
}

void diff_area_fail(struct diff_area *area, int error)
{
	unsigned long flags;

	spin_lock_irqsave(&area->lock, flags);
	diff_area_fail_locked(area, error);
	spin_unlock_irqrestore(&area->lock, flags);
}

void diff_area_resized(struct diff_area *area, sector_t sectors)
{
	/* Before it is prepared, there is nothing to lose. */
	if (sectors < READ_ONCE(area->capacity))
		diff_area_fail(area, sectors ? -ENXIO : -ENODEV);
}

void diff_area_set_image_name(struct diff_area *area, const char *name)
{
	spin_lock_irq(&area->lock);
	strscpy_pad(area->image_name, name);
	spin_unlock_irq(&area->lock);
}

void diff_area_info(struct diff_area *area, struct blksnap_snapshotinfo *info)
{
	memset(info, 0, sizeof(*info));
	spin_lock_irq(&area->lock);
	info->error_code = area->error;
	memcpy(info->image, area->image_name, sizeof(info->image));
	spin_unlock_irq(&area->lock);
}

void diff_area_drain_begin(struct diff_area *area)
{
	queue_work(area->kick_wq, &area->drain_work);
}

void diff_area_drain_wait(struct diff_area *area)
{
	flush_work(&area->drain_work);
}

static bool diff_area_has_no_reads(struct diff_area *area)
{
	bool ret;

	spin_lock_irq(&area->lock);
	ret = !area->nr_reads;
	spin_unlock_irq(&area->lock);
	return ret;
}

void diff_area_device_gone(struct diff_area *area)
{
	diff_area_fail(area, -ENODEV);
	wait_event(area->wait, diff_area_has_no_reads(area));
	diff_area_let_device_go(area);
}

static struct file *diff_area_open_held(struct diff_area *area)
{
	struct block_device *bdev = tracker_get_bdev(area->tracker);
	struct file *file;

	if (!bdev)
		return ERR_PTR(-ENODEV);
	file = bdev_file_open_by_dev(bdev->bd_dev, BLK_OPEN_READ, NULL, NULL);
	/* The number may have got another device meanwhile. */
	if (!IS_ERR(file) && file_bdev(file) != bdev) {
		fput(file);
		file = ERR_PTR(-ENODEV);
	}
	put_device(&bdev->bd_device);
	return file;
}

int diff_area_open_device(struct diff_area *area)
{
	struct file *file = NULL;
	bool is_needed;

	spin_lock_irq(&area->lock);
	is_needed = !area->held && !diff_area_is_over(area);
	spin_unlock_irq(&area->lock);

	if (is_needed)
		file = diff_area_open_held(area);

	spin_lock_irq(&area->lock);
	if (!diff_area_is_over(area)) {
		if (IS_ERR(file)) {
			spin_unlock_irq(&area->lock);
			return PTR_ERR(file);
		}
		if (file)
			area->held = file;
		file = NULL;
	}
	area->nr_users++;
	spin_unlock_irq(&area->lock);

	if (!IS_ERR_OR_NULL(file))
		fput(file);
	return 0;
}

void diff_area_let_device_go(struct diff_area *area)
{
	struct file *file;

	spin_lock_irq(&area->lock);
	file = area->held;
	area->held = NULL;
	spin_unlock_irq(&area->lock);

	if (file)
		fput(file);
}

void diff_area_close_device(struct diff_area *area)
{
	bool is_last;

	spin_lock_irq(&area->lock);
	is_last = !--area->nr_users;
	spin_unlock_irq(&area->lock);

	if (is_last)
		diff_area_let_device_go(area);
}

static bool diff_area_is_idle(struct diff_area *area)
{
	bool ret;

	spin_lock_irq(&area->lock);
	ret = !area->nr_reads && !area->nr_copies &&
	      !atomic_long_read(&area->writes);
	spin_unlock_irq(&area->lock);
	return ret;
}

void diff_area_close_begin(struct diff_area *area)
{
	spin_lock_irq(&area->lock);
	WRITE_ONCE(area->closed, true);
	diff_area_changed(area);
	spin_unlock_irq(&area->lock);
}

void diff_area_close_wait(struct diff_area *area)
{
	wait_event(area->wait, diff_area_is_idle(area));
	/* Who has brought it to idle may not be done with it yet. */
	synchronize_rcu();
	diff_area_unprepare(area);
}

void diff_area_write_begin(struct diff_area *area, struct tracked_write *write,
			   sector_t sector, sector_t nr)
{
	INIT_LIST_HEAD(&write->link);
	atomic_long_inc(&area->writes);

	/* What lies beyond the image is not copied. */
	write->next = blksnap_unit_of(sector, area->shift);
	write->last = blksnap_unit_of(sector + nr - 1, area->shift);
	write->last = min(write->last, area->count - 1);
}

void diff_area_write_done(struct diff_area *area)
{
	if (atomic_long_dec_and_test(&area->writes) &&
	    wq_has_sleeper(&area->wait))
		wake_up_all(&area->wait);
}

struct diff_copy *diff_area_find_copy(struct diff_area *area, u64 chunk)
{
	struct diff_copy *copy;

	hash_for_each_possible(area->copies, copy, hash, chunk)
		if (copy->chunk == chunk)
			return copy;
	return NULL;
}

static bool diff_area_has_reader(struct diff_area *area, u64 chunk)
{
	struct diff_reader *reader;

	hash_for_each_possible(area->readers, reader, hash, chunk)
		if (reader->chunk == chunk)
			return true;
	return false;
}

/* The old data of the chunk is in memory or stored. */
bool diff_area_is_copied(struct diff_area *area, u64 chunk)
{
	struct diff_copy *copy;

	if (area->stored[chunk])
		return true;
	copy = diff_area_find_copy(area, chunk);
	return copy && copy->is_ready;
}

int diff_area_start_copy(struct diff_area *area, u64 chunk,
			 struct list_head *reads)
{
	struct diff_copy *copy;
	int ret;

	lockdep_assert_held(&area->lock);

	if (area->draining || list_empty(&area->free_copies))
		return -EAGAIN;

	copy = list_first_entry(&area->free_copies, struct diff_copy, link);
	ret = diff_storage_alloc(area->storage,
				 diff_area_chunk_sectors(area, chunk),
				 &copy->place);
	if (ret)
		return ret;

	copy->chunk = chunk;
	copy->is_ready = false;
	copy->is_done = false;
	copy->users = 0;
	hash_add(area->copies, &copy->hash, chunk);
	area->nr_copies++;
	area->nr_reads++;
	area->nr_copying++;
	list_move_tail(&copy->link, reads);
	return 0;
}

/* Start what the write will need soon, if that is to be had now. */
static void diff_area_copy_ahead(struct diff_area *area,
				 struct tracked_write *write,
				 struct list_head *reads)
{
	u64 last = min(write->last, write->next + COPIES_AHEAD);
	u64 chunk;

	for (chunk = write->next + 1; chunk <= last; chunk++) {
		if (area->stored[chunk] || diff_area_find_copy(area, chunk))
			continue;
		if (diff_area_start_copy(area, chunk, reads))
			return;
	}
}

/*
 * Whether the write may pass. If not, it is certain that diff_area_changed() or
 * diff_area_kick() comes.
 */
static bool diff_area_may_pass(struct diff_area *area,
			       struct tracked_write *write,
			       struct list_head *reads)
{
	unsigned int batch = ADMIT_BATCH;
	int ret;

	lockdep_assert_held(&area->lock);

	for (; write->next <= write->last; write->next++) {
		if (diff_area_is_over(area))
			return true;
		if (!batch--) {
			diff_area_kick(area);
			return false;
		}
		if (diff_area_is_copied(area, write->next)) {
			if (diff_area_has_reader(area, write->next))
				return false;
			continue;
		}
		if (!diff_area_find_copy(area, write->next)) {
			ret = diff_area_start_copy(area, write->next, reads);
			if (ret == -EAGAIN)
				return false;
			if (ret) {
				diff_area_fail_locked(area, ret);
				return true;
			}
		}
		diff_area_copy_ahead(area, write, reads);
		return false;
	}
	return true;
}

/* As diff_area_may_pass(), but changes nothing. */
static bool diff_area_may_pass_now(struct diff_area *area,
				   struct tracked_write *write)
{
	u64 chunk;

	lockdep_assert_held(&area->lock);

	if (diff_area_is_over(area))
		return true;
	if (write->next + ADMIT_BATCH < write->last)
		return false;
	for (chunk = write->next; chunk <= write->last; chunk++)
		if (!diff_area_is_copied(area, chunk) ||
		    diff_area_has_reader(area, chunk))
			return false;
	return true;
}

enum diff_area_verdict diff_area_admit(struct diff_area *area,
				       struct tracked_write *write)
{
	enum diff_area_verdict verdict = DIFF_AREA_PASS;
	LIST_HEAD(reads);

	spin_lock_irq(&area->lock);
	if (write->bio->bi_opf & REQ_NOWAIT) {
		if (!diff_area_may_pass_now(area, write))
			verdict = DIFF_AREA_AGAIN;
	} else if (!diff_area_may_pass(area, write, &reads)) {
		list_add_tail(&write->link, &area->waiting);
		tracker_keep(write);
		verdict = DIFF_AREA_WAIT;
	}
	spin_unlock_irq(&area->lock);

	/* If the write waits, it may be gone by now. */
	diff_copy_read_all(&reads);
	return verdict;
}

/*
 * A write that started copies and is not to wait for them any more: while any
 * is read, the device must stay open, and its sender may be the only one who
 * has it open.
 */
static bool diff_area_must_keep(struct diff_area *area)
{
	lockdep_assert_held(&area->lock);

	return diff_area_is_over(area) && area->nr_copying;
}

void diff_area_kick_work(struct work_struct *work)
{
	struct diff_area *area = container_of(work, struct diff_area, kick_work);
	struct tracked_write *write, *next;
	LIST_HEAD(reads);
	LIST_HEAD(passed);

	spin_lock_irq(&area->lock);
	list_for_each_entry_safe(write, next, &area->waiting, link)
		if (diff_area_may_pass(area, write, &reads) &&
		    !diff_area_must_keep(area))
			list_move_tail(&write->link, &passed);
	spin_unlock_irq(&area->lock);

	diff_copy_read_all(&reads);
	list_for_each_entry_safe(write, next, &passed, link) {
		list_del_init(&write->link);
		tracker_resume(write);
	}
}

void diff_area_copy_ready(struct diff_area *area, struct diff_copy *copy)
{
	unsigned long flags;

	spin_lock_irqsave(&area->lock, flags);
	if (copy->error)
		diff_area_fail_locked(area, copy->error);
	else
		copy->is_ready = true;
	area->nr_reads--;
	area->nr_copying--;
	/* Before others may see that nothing is left to wait for. */
	queue_work(area->store_wq, &copy->work);
	diff_area_changed(area);
	spin_unlock_irqrestore(&area->lock, flags);
}

static void diff_area_release_copy(struct diff_area *area,
				   struct diff_copy *copy)
{
	lockdep_assert_held(&area->lock);

	if (!copy->is_done || copy->users)
		return;
	hash_del(&copy->hash);
	list_add(&copy->link, &area->free_copies);
	area->nr_copies--;
	diff_area_changed(area);
}

void diff_area_copy_stored(struct diff_area *area, struct diff_copy *copy,
			   int error)
{
	spin_lock_irq(&area->lock);
	if (error)
		diff_area_fail_locked(area, error);
	else
		area->stored[copy->chunk] = copy->place + 1;
	copy->is_done = true;
	diff_area_release_copy(area, copy);
	spin_unlock_irq(&area->lock);
}

void diff_area_put_copy(struct diff_area *area, struct diff_copy *copy)
{
	spin_lock_irq(&area->lock);
	copy->users--;
	diff_area_release_copy(area, copy);
	spin_unlock_irq(&area->lock);
}
