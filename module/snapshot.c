// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: snapshots.
 *
 * Locking, outer to inner:
 *   snapshot->lock		one thing is done with a snapshot at a time
 *   the lock of storage_order.c
 *   the tracker's cut lock
 *   snapshots_lock		the list of all; inner to nothing but itself
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/blkdev.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "cbt_map.h"
#include "diff_area.h"
#include "diff_storage.h"
#include "event_queue.h"
#include "image.h"
#include "snapshot.h"
#include "storage_order.h"
#include "storage_probe.h"
#include "tracker.h"

/**
 * struct snapshot - snapshot
 * @link:	entry in the list of all, empty once destroyed
 * @kref:	one for the list, one for each user
 * @id:		its name
 * @events:	what has happened to it
 * @storage:	difference storage
 * @lock:	protects what is below
 * @is_taken:	the cut has come
 * @is_dead:	it was destroyed
 * @areas:	its devices, struct diff_area; after the cut the list stays as
 *		it is until the storage is gone
 */
struct snapshot {
	struct list_head link;
	struct kref kref;
	uuid_t id;
	struct event_queue events;
	struct diff_storage *storage;
	struct mutex lock; /* one thing at a time */
	bool is_taken;
	bool is_dead;
	struct list_head areas;
};

static DEFINE_SPINLOCK(snapshots_lock);
static LIST_HEAD(snapshots);

static void snapshot_free(struct kref *kref)
{
	struct snapshot *snapshot = container_of(kref, struct snapshot, kref);

	event_queue_destroy(&snapshot->events);
	kfree(snapshot);
	module_put(THIS_MODULE);
}

static void snapshot_put(struct snapshot *snapshot)
{
	kref_put(&snapshot->kref, snapshot_free);
}

static struct snapshot *snapshot_find(const uuid_t *id)
{
	struct snapshot *snapshot;

	lockdep_assert_held(&snapshots_lock);

	list_for_each_entry(snapshot, &snapshots, link)
		if (uuid_equal(&snapshot->id, id))
			return snapshot;
	return NULL;
}

static struct snapshot *snapshot_get(const uuid_t *id)
{
	struct snapshot *snapshot;

	spin_lock(&snapshots_lock);
	snapshot = snapshot_find(id);
	if (snapshot)
		kref_get(&snapshot->kref);
	spin_unlock(&snapshots_lock);
	return snapshot;
}

/* From the storage's worker, when it has got more space or will get no more. */
static void snapshot_storage_grown(void *arg)
{
	struct snapshot *snapshot = arg;
	struct diff_area *area;

	/*
	 * Nobody asks for space before the cut, and the worker has ended before
	 * the list changes again. The first growth is none of the worker's.
	 */
	list_for_each_entry(area, &snapshot->areas, link)
		diff_area_storage_grown(area);
}

int snapshot_create(int fd, sector_t limit, uuid_t *id)
{
	struct snapshot *snapshot;
	int ret;

	snapshot = kzalloc(sizeof(*snapshot), GFP_KERNEL);
	if (!snapshot)
		return -ENOMEM;
	kref_init(&snapshot->kref);
	mutex_init(&snapshot->lock);
	INIT_LIST_HEAD(&snapshot->areas);
	event_queue_init(&snapshot->events);
	generate_random_uuid(snapshot->id.b);

	snapshot->storage = diff_storage_create(fd, limit,
						snapshot_storage_grown,
						snapshot);
	if (IS_ERR(snapshot->storage)) {
		ret = PTR_ERR(snapshot->storage);
		kfree(snapshot);
		return ret;
	}

	/* The caller has the control device open, so the module is there. */
	__module_get(THIS_MODULE);
	uuid_copy(id, &snapshot->id);
	spin_lock(&snapshots_lock);
	list_add_tail(&snapshot->link, &snapshots);
	spin_unlock(&snapshots_lock);
	return 0;
}

static int snapshot_add_locked(struct snapshot *snapshot,
			       struct tracker *tracker)
{
	struct block_device *bdev = tracker->flt.bdev;
	struct diff_area *area;
	int ret;

	if (snapshot->is_dead)
		return -ESRCH;

	area = diff_area_create(snapshot, tracker, snapshot->storage,
				&snapshot->events);
	if (!area)
		return -ENOMEM;
	ret = tracker_join(tracker, area);
	if (ret)
		goto out_put;
	if (snapshot->is_taken) {
		ret = -EBUSY;
		goto out_leave;
	}
	ret = storage_order_enter(area);
	if (ret)
		goto out_tell;
	ret = storage_probe(snapshot->storage, tracker);
	if (ret)
		goto out_order;
	list_add_tail(&area->link, &snapshot->areas);
	return 0;

out_order:
	storage_order_leave(area);
out_tell:
	if (ret == -EDEADLK)
		pr_err("%pg: what the difference storage takes would be written to the device, at once or by way of other snapshots\n",
		       bdev);
out_leave:
	tracker_leave(tracker);
out_put:
	diff_area_put(area);
	return ret;
}

int snapshot_add(const uuid_t *id, struct tracker *tracker)
{
	struct snapshot *snapshot;
	int ret;

	snapshot = snapshot_get(id);
	if (!snapshot)
		return -ESRCH;
	mutex_lock(&snapshot->lock);
	ret = snapshot_add_locked(snapshot, tracker);
	mutex_unlock(&snapshot->lock);
	snapshot_put(snapshot);
	return ret;
}

/* What one device needs for the take, collected before anything happens. */
struct take {
	struct diff_area *area;
	struct block_device *bdev;
	struct cbt_map *new_map;
	bool is_prepared;
	bool is_frozen;
};

static int take_prepare(struct take *take)
{
	struct tracker *tracker = take->area->tracker;
	int ret;

	take->bdev = tracker_get_bdev(tracker);
	if (!take->bdev)
		return -ENODEV;
	ret = diff_area_prepare(take->area, take->bdev);
	if (ret)
		return ret;
	take->is_prepared = true;

	if (!tracker_map_is_good(tracker, take->area->capacity)) {
		take->new_map = cbt_map_create(take->area->capacity);
		if (IS_ERR(take->new_map)) {
			ret = PTR_ERR(take->new_map);
			take->new_map = NULL;
			return ret;
		}
	}
	return image_create(take->area, take->bdev);
}

static int take_freeze(struct take *take)
{
	struct block_device *bdev = take->bdev;
	int ret;

	ret = bdev_freeze(bdev);
	if (ret) {
		pr_err("%pg: cannot freeze the file system: %pe\n", bdev,
		       ERR_PTR(ret));
		return ret;
	}
	take->is_frozen = true;
	return 0;
}

static void take_thaw(struct take *take)
{
	struct block_device *bdev = take->bdev;
	int ret;

	if (!take->is_frozen)
		return;
	take->is_frozen = false;
	ret = bdev_thaw(bdev);
	if (ret)
		pr_err("%pg: cannot thaw the file system: %pe\n", bdev,
		       ERR_PTR(ret));
}

static void take_undo(struct take *take)
{
	if (take->area->image)
		image_remove(take->area);
	if (take->is_prepared)
		diff_area_unprepare(take->area);
	cbt_map_put(take->new_map);
}

/* Within the cut, on all devices or on none. */
static int take_cut(struct take *takes, unsigned int nr)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = diff_area_arm(takes[i].area);
		if (ret)
			return ret;
		if (bdev_nr_sectors(takes[i].bdev) != takes[i].area->capacity)
			return -EAGAIN;
		if (!takes[i].new_map &&
		    !tracker_map_is_good(takes[i].area->tracker,
					 takes[i].area->capacity))
			return -EAGAIN;
	}
	for (i = 0; i < nr; i++)
		takes[i].new_map = tracker_arm(takes[i].area->tracker,
					       takes[i].area, takes[i].new_map);
	return 0;
}

static void take_drain_begin(struct take *takes, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		diff_area_drain_begin(takes[i].area);
}

/*
 * A file system is frozen before those that its device's data lie on: else the
 * freezing would have to wait for writes to what is frozen. The device above
 * was made later, or got its medium later, and has the higher number.
 *
 * What snapshots store their copies on comes last: to freeze another may take
 * writes to a device that is held, which wait for copies to be stored.
 */
static int compare_disks(void *priv, const struct list_head *one,
			 const struct list_head *other)
{
	struct diff_area *a = list_entry(one, struct diff_area, link);
	struct diff_area *b = list_entry(other, struct diff_area, link);

	if (a->is_below_storage != b->is_below_storage)
		return a->is_below_storage;
	return a->diskseq < b->diskseq;
}

static int snapshot_take_all(struct snapshot *snapshot, struct take *takes,
			     unsigned int nr)
{
	unsigned int i, done;
	int ret = 0;

	for (done = 0; done < nr && !ret; done++)
		ret = take_prepare(&takes[done]);
	for (i = 0; i < nr && !ret; i++)
		ret = take_freeze(&takes[i]);

	if (!ret) {
		tracker_cut_begin();
		ret = take_cut(takes, nr);
		tracker_cut_end();
	}

	/*
	 * Before the thaw, which may write and so wait for the drain. And all
	 * at once: a write from before the cut may depend on one from after it
	 * to a device below, which waits for that device's drain.
	 */
	if (!ret)
		take_drain_begin(takes, nr);
	while (i--)
		take_thaw(&takes[i]);
	if (ret) {
		while (done--)
			take_undo(&takes[done]);
		return ret;
	}

	snapshot->is_taken = true;
	for (i = 0; i < nr; i++)
		cbt_map_put(takes[i].new_map);
	return 0;
}

static void snapshot_drain_wait(struct snapshot *snapshot)
{
	struct diff_area *area;

	list_for_each_entry(area, &snapshot->areas, link) {
		diff_area_drain_wait(area);
		image_open_gate(area);
	}
}

static int snapshot_take_locked(struct snapshot *snapshot)
{
	struct diff_area *area;
	unsigned int nr, i = 0;
	struct take *takes;
	int ret = 0;

	if (snapshot->is_dead)
		return -ESRCH;
	if (snapshot->is_taken)
		return -EALREADY;
	if (list_empty(&snapshot->areas))
		return -ENODEV;

	nr = list_count_nodes(&snapshot->areas);
	takes = kvcalloc(nr, sizeof(*takes), GFP_KERNEL);
	if (!takes)
		return -ENOMEM;
	list_for_each_entry(area, &snapshot->areas, link) {
		struct block_device *bdev = tracker_get_bdev(area->tracker);

		if (!bdev)
			continue;
		area->is_below_storage = diff_storage_any_on(bdev);
		put_device(&bdev->bd_device);
	}
	list_sort(NULL, &snapshot->areas, compare_disks);
	list_for_each_entry(area, &snapshot->areas, link)
		takes[i++].area = area;

	ret = snapshot_take_all(snapshot, takes, nr);
	for (i = 0; i < nr; i++)
		if (takes[i].bdev)
			put_device(&takes[i].bdev->bd_device);
	kvfree(takes);
	if (!ret)
		snapshot_drain_wait(snapshot);
	return ret;
}

int snapshot_take(const uuid_t *id)
{
	struct snapshot *snapshot;
	int ret;

	snapshot = snapshot_get(id);
	if (!snapshot)
		return -ESRCH;
	mutex_lock(&snapshot->lock);
	ret = snapshot_take_locked(snapshot);
	mutex_unlock(&snapshot->lock);
	snapshot_put(snapshot);
	return ret;
}

static void snapshot_end_hold(struct snapshot *snapshot)
{
	struct diff_area *area;

	/*
	 * A write may wait for one to another device of the snapshot; and none
	 * is to wait for a storage that hangs, as who reads the images may.
	 */
	list_for_each_entry(area, &snapshot->areas, link)
		diff_area_close_begin(area);
	list_for_each_entry(area, &snapshot->areas, link)
		image_remove(area);

	tracker_cut_begin();
	list_for_each_entry(area, &snapshot->areas, link)
		tracker_disarm(area->tracker);
	tracker_cut_end();

	list_for_each_entry(area, &snapshot->areas, link)
		diff_area_close_wait(area);
}

int snapshot_destroy(const uuid_t *id)
{
	struct diff_area *area, *next;
	struct snapshot *snapshot;

	spin_lock(&snapshots_lock);
	snapshot = snapshot_find(id);
	if (snapshot)
		list_del_init(&snapshot->link);
	spin_unlock(&snapshots_lock);
	if (!snapshot)
		return -ESRCH;

	event_queue_close(&snapshot->events);

	mutex_lock(&snapshot->lock);
	snapshot->is_dead = true;
	if (snapshot->is_taken)
		snapshot_end_hold(snapshot);
	list_for_each_entry(area, &snapshot->areas, link)
		storage_order_leave(area);
	diff_storage_destroy(snapshot->storage);
	list_for_each_entry_safe(area, next, &snapshot->areas, link) {
		list_del_init(&area->link);
		tracker_leave(area->tracker);
		diff_area_put(area);
	}
	mutex_unlock(&snapshot->lock);
	snapshot_put(snapshot);
	return 0;
}

unsigned int snapshot_collect(uuid_t *ids, unsigned int room)
{
	struct snapshot *snapshot;
	unsigned int nr, i = 0;

	spin_lock(&snapshots_lock);
	nr = list_count_nodes(&snapshots);
	if (nr <= room)
		list_for_each_entry(snapshot, &snapshots, link)
			uuid_copy(&ids[i++], &snapshot->id);
	spin_unlock(&snapshots_lock);
	return nr;
}

int snapshot_wait_event(const uuid_t *id, u32 timeout_ms,
			int (*deliver)(struct event *event, void *arg),
			void *arg)
{
	struct snapshot *snapshot;
	struct event *event;
	int ret;

	snapshot = snapshot_get(id);
	if (!snapshot)
		return -ESRCH;
	event = event_queue_wait(&snapshot->events, timeout_ms);
	if (IS_ERR(event)) {
		ret = PTR_ERR(event);
	} else {
		ret = deliver(event, arg);
		if (ret)
			event_queue_return(&snapshot->events, event);
		else
			kfree(event);
	}
	snapshot_put(snapshot);
	return ret;
}
