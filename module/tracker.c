// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tracker, the filter on one device.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/module.h>
#include <linux/percpu-rwsem.h>
#include <linux/slab.h>
#include <uapi/linux/blksnap.h>
#include "cbt_map.h"
#include "diff_area.h"
#include "diff_storage.h"
#include "image.h"
#include "storage_probe.h"
#include "tracker.h"

/* Writes that are certain to get on when there is no memory. */
#define TRACKER_WRITES_RESERVED	16
#define TRACKER_STORES_RESERVED	4

/*
 * Writes of a device that may wait for copies. Whoever comes then has to wait
 * itself, as for a queue that is full; it brings one more.
 */
#define TRACKER_KEPT_MAX	1024

static struct kmem_cache *tracked_write_cache;

/* Not a static one: what its writers leave to RCU is waited for at its end. */
static struct percpu_rw_semaphore tracker_cut;

static bool tracker_is_open;

void tracker_cut_begin(void)
{
	percpu_down_write(&tracker_cut);
}

void tracker_cut_end(void)
{
	percpu_up_write(&tracker_cut);
}

static void tracker_free(struct kref *kref)
{
	struct tracker *tracker = container_of(kref, struct tracker, kref);

	cbt_map_put(tracker->map);
	mempool_exit(&tracker->store_writes);
	mempool_exit(&tracker->writes);
	kfree(tracker);
}

void tracker_get(struct tracker *tracker)
{
	kref_get(&tracker->kref);
}

void tracker_put(struct tracker *tracker)
{
	kref_put(&tracker->kref, tracker_free);
}

struct block_device *tracker_get_bdev(struct tracker *tracker)
{
	struct block_device *bdev = NULL;

	/* Before it goes it sets @detaching, and holds its device until then. */
	spin_lock(&tracker->lock);
	if (!tracker->detaching) {
		bdev = tracker->flt.bdev;
		get_device(&bdev->bd_device);
	}
	spin_unlock(&tracker->lock);
	return bdev;
}

struct cbt_map *tracker_get_map(struct tracker *tracker)
{
	struct cbt_map *map;

	spin_lock(&tracker->lock);
	map = tracker->map;
	cbt_map_get(map);
	spin_unlock(&tracker->lock);
	return map;
}

int tracker_join(struct tracker *tracker, struct diff_area *area)
{
	int ret = 0;

	spin_lock(&tracker->lock);
	if (tracker->area)
		ret = diff_area_is_sibling(tracker->area, area) ? -EALREADY :
								  -EBUSY;
	else if (tracker->detaching)
		ret = -ENODEV;
	else
		tracker->area = area;
	spin_unlock(&tracker->lock);
	return ret;
}

void tracker_leave(struct tracker *tracker)
{
	spin_lock(&tracker->lock);
	tracker->area = NULL;
	spin_unlock(&tracker->lock);
}

bool tracker_map_is_good(struct tracker *tracker, sector_t capacity)
{
	bool ret;

	spin_lock(&tracker->lock);
	ret = !tracker->resized && tracker->map->capacity == capacity;
	spin_unlock(&tracker->lock);
	return ret;
}

void tracker_mark_both(struct tracker *tracker, sector_t sector, sector_t nr)
{
	percpu_down_read(&tracker_cut);
	cbt_map_mark_both(tracker->map, sector, nr);
	percpu_up_read(&tracker_cut);
}

struct cbt_map *tracker_arm(struct tracker *tracker, struct diff_area *area,
			    struct cbt_map *new_map)
{
	struct cbt_map *old_map = NULL;

	if (new_map) {
		spin_lock(&tracker->lock);
		old_map = tracker->map;
		tracker->map = new_map;
		tracker->resized = false;
		spin_unlock(&tracker->lock);
	} else {
		cbt_map_take(tracker->map);
	}
	tracker->armed = area;
	tracker->epoch = !tracker->epoch;
	return old_map;
}

void tracker_disarm(struct tracker *tracker)
{
	tracker->armed = NULL;
}

void tracker_drain(struct tracker *tracker)
{
	atomic_long_t *before = &tracker->in_flight[!tracker->epoch];

	wait_event(tracker->idle, !atomic_long_read(before));
}

/* The write has completed, or is not to be done. */
static void tracker_write_done(struct blkfilter_hook *hook, struct bio *bio)
{
	struct tracked_write *write =
		container_of(hook, struct tracked_write, hook);
	struct tracker *tracker = write->tracker;
	struct diff_area *area = write->area;
	unsigned int epoch = write->epoch;

	mempool_free(write, write->pool);

	/* Who waits for the last write frees what is used here after RCU. */
	rcu_read_lock();
	if (area)
		diff_area_write_done(area);
	if (atomic_long_dec_and_test(&tracker->in_flight[epoch]) &&
	    wq_has_sleeper(&tracker->idle))
		wake_up_all(&tracker->idle);
	rcu_read_unlock();
}

static bool tracker_has_room(struct tracker *tracker)
{
	return atomic_read(&tracker->kept) < TRACKER_KEPT_MAX;
}

void tracker_keep(struct tracked_write *write)
{
	atomic_inc(&write->tracker->kept);
}

void tracker_resume(struct tracked_write *write)
{
	struct tracker *tracker = write->tracker;

	if (atomic_dec_return(&tracker->kept) < TRACKER_KEPT_MAX &&
	    wq_has_sleeper(&tracker->room))
		wake_up_all(&tracker->room);
	blkfilter_resume_bio(write->bio);
}

static bool tracker_changes_data(struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_WRITE:
	case REQ_OP_WRITE_ZEROES:
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return bio_sectors(bio);
	default:
		return false;
	}
}

/*
 * Mark and count a write of @nr sectors from @sector on, all at one side of the
 * cut. Return: the write, or NULL if it would have to wait and must not.
 */
static struct tracked_write *tracker_see(struct tracker *tracker,
					 struct bio *bio, sector_t sector,
					 sector_t nr)
{
	bool nowait = bio->bi_opf & REQ_NOWAIT;
	mempool_t *pool = diff_storage_is_writing() ? &tracker->store_writes :
						      &tracker->writes;
	struct tracked_write *write;

	write = mempool_alloc(pool, nowait ? GFP_NOWAIT : GFP_NOIO);
	if (!write)
		return NULL;
	if (!nowait) {
		percpu_down_read(&tracker_cut);
	} else if (!percpu_down_read_trylock(&tracker_cut)) {
		mempool_free(write, pool);
		return NULL;
	}

	write->hook.done = tracker_write_done;
	write->tracker = tracker;
	write->bio = bio;
	write->pool = pool;
	write->epoch = tracker->epoch;
	write->area = tracker->armed;
	if (write->area)
		diff_area_write_begin(write->area, write, sector, nr);
	atomic_long_inc(&tracker->in_flight[write->epoch]);
	cbt_map_mark(tracker->map, sector, nr);

	percpu_up_read(&tracker_cut);

	blkfilter_hook_bio(bio, &write->hook);
	return write;
}

static void tracker_check_probe(struct tracker *tracker, struct bio *bio)
{
	struct storage_probe *probe;

	rcu_read_lock();
	probe = rcu_dereference(tracker->probe);
	if (unlikely(probe))
		storage_probe_check(probe, bio);
	rcu_read_unlock();
}

static bool tracker_submit_bio(struct blkfilter *flt, struct bio *bio)
{
	struct tracker *tracker = tracker_of(flt);
	struct tracked_write *write;
	sector_t sector, nr;

	if (!tracker_changes_data(bio))
		return false;
	nr = blkfilter_bio_range(flt, bio, &sector);
	if (!nr)
		return false;

	tracker_check_probe(tracker, bio);
	/* What is stored must not wait for those who wait for it. */
	if (!(bio->bi_opf & REQ_NOWAIT) && !diff_storage_is_writing())
		wait_event(tracker->room, tracker_has_room(tracker));
	write = tracker_see(tracker, bio, sector, nr);
	if (!write) {
		bio_wouldblock_error(bio);
		return true;
	}
	if (!write->area)
		return false;

	switch (diff_area_admit(write->area, write)) {
	case DIFF_AREA_PASS:
		return false;
	case DIFF_AREA_WAIT:
		return true;
	case DIFF_AREA_AGAIN:
		break;
	}
	blkfilter_unhook_bio(bio);
	bio_wouldblock_error(bio);
	return true;
}

static struct blkfilter *tracker_attach(struct block_device *bdev)
{
	struct tracker *tracker;
	int ret = -ENOMEM;

	if (!READ_ONCE(tracker_is_open))
		return ERR_PTR(-ENOENT);
	if (bdev_is_zoned(bdev)) {
		pr_err("%pg: zoned devices are not supported\n", bdev);
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (image_is(bdev)) {
		pr_err("%pg: is an image itself\n", bdev);
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (!bdev_nr_sectors(bdev))
		return ERR_PTR(-ENOMEDIUM);

	tracker = kzalloc(sizeof(*tracker), GFP_KERNEL);
	if (!tracker)
		return ERR_PTR(-ENOMEM);
	kref_init(&tracker->kref);
	spin_lock_init(&tracker->lock);
	init_waitqueue_head(&tracker->idle);
	init_waitqueue_head(&tracker->room);

	ret = mempool_init_slab_pool(&tracker->writes, TRACKER_WRITES_RESERVED,
				     tracked_write_cache);
	if (ret)
		goto out_free;
	ret = mempool_init_slab_pool(&tracker->store_writes,
				     TRACKER_STORES_RESERVED,
				     tracked_write_cache);
	if (ret)
		goto out_pool;
	tracker->map = cbt_map_create(bdev_nr_sectors(bdev));
	if (IS_ERR(tracker->map)) {
		ret = PTR_ERR(tracker->map);
		goto out_store_pool;
	}
	return &tracker->flt;

out_store_pool:
	mempool_exit(&tracker->store_writes);
out_pool:
	mempool_exit(&tracker->writes);
out_free:
	kfree(tracker);
	return ERR_PTR(ret);
}

static int tracker_may_detach(struct blkfilter *flt)
{
	struct tracker *tracker = tracker_of(flt);
	int ret = 0;

	spin_lock(&tracker->lock);
	if (tracker->area)
		ret = -EBUSY;
	else
		tracker->detaching = true;
	spin_unlock(&tracker->lock);
	return ret;
}

static bool tracker_is_idle(struct tracker *tracker)
{
	return !atomic_long_read(&tracker->in_flight[0]) &&
	       !atomic_long_read(&tracker->in_flight[1]);
}

static void tracker_detach(struct blkfilter *flt)
{
	struct tracker *tracker = tracker_of(flt);
	struct diff_area *area;

	spin_lock(&tracker->lock);
	tracker->detaching = true;
	area = tracker->area;
	if (area)
		diff_area_get(area);
	spin_unlock(&tracker->lock);

	/* From here on no I/O goes to the device on behalf of a snapshot. */
	if (area) {
		diff_area_device_gone(area);
		diff_area_put(area);
	}
	wait_event(tracker->idle, tracker_is_idle(tracker));
	synchronize_rcu();
}

static void tracker_resized(struct blkfilter *flt, sector_t sectors)
{
	struct tracker *tracker = tracker_of(flt);

	spin_lock(&tracker->lock);
	if (sectors != tracker->map->capacity)
		tracker->resized = true;
	if (tracker->area)
		diff_area_resized(tracker->area, sectors);
	spin_unlock(&tracker->lock);
}

static void tracker_release(struct blkfilter *flt)
{
	tracker_put(tracker_of(flt));
}

static struct blkfilter_operations tracker_ops = {
	.owner = THIS_MODULE,
	.name = BLKSNAP_FILTER,
	.attach = tracker_attach,
	.may_detach = tracker_may_detach,
	.detach = tracker_detach,
	.release = tracker_release,
	.ctl = tracker_ctl,
	.resized = tracker_resized,
	.submit_bio = tracker_submit_bio,
};

int tracker_init(void)
{
	int ret;

	tracked_write_cache = KMEM_CACHE(tracked_write, 0);
	if (!tracked_write_cache)
		return -ENOMEM;
	ret = percpu_init_rwsem(&tracker_cut);
	if (ret)
		goto out_cache;
	ret = blkfilter_register(&tracker_ops);
	if (ret)
		goto out_cut;
	return 0;

out_cut:
	percpu_free_rwsem(&tracker_cut);
out_cache:
	kmem_cache_destroy(tracked_write_cache);
	return ret;
}

void tracker_open(void)
{
	WRITE_ONCE(tracker_is_open, true);
}

void tracker_exit(void)
{
	blkfilter_unregister(&tracker_ops);
	percpu_free_rwsem(&tracker_cut);
	kmem_cache_destroy(tracked_write_cache);
}
