/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: tracker, the filter on one device. It marks changes, counts writes
 * in flight, and hands writes to the copying while a snapshot is held.
 *
 * The cut lock is one for all devices. Each write holds it for reading while it
 * is marked, counted, and told whether a snapshot is held; never while it waits
 * for I/O. Taking and destroying a snapshot hold it for writing. So the
 * instant at which they do is the same for all devices, and each write is on
 * one side of it.
 */
#ifndef BLKSNAP_TRACKER_H
#define BLKSNAP_TRACKER_H

#include <linux/blk-filter.h>
#include <linux/kref.h>
#include <linux/mempool.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

struct cbt_map;
struct diff_area;
struct storage_probe;

/**
 * struct tracker - the filter on one device
 * @flt:	what the block layer knows of
 * @kref:	one for the filter, one for each snapshot the device is in
 * @writes:	pool of struct tracked_write, the tracker's own because a write
 *		to this device may have to wait for one to another
 * @store_writes: the same for what is written to a difference storage, which
 *		those that use up @writes may wait for
 * @lock:	protects @map (against replacement), @area, @detaching, @resized
 * @map:	change map. Replaced under @lock and the cut lock.
 * @area:	what the device is in a snapshot, NULL if it is in none
 * @detaching:	the filter is on its way out: no snapshot may be joined
 * @resized:	the capacity was another than the map's: what is not marked may
 *		have changed as well
 * @probe:	to be looked for in all writes, or NULL. RCU.
 * @armed:	@area while a snapshot is held. Under the cut lock.
 * @epoch:	which of @in_flight counts new writes. Under the cut lock.
 * @in_flight:	writes that have been seen and are not completed
 * @idle:	where to wait for one of @in_flight to get to 0
 * @kept:	writes that wait for copies
 * @room:	where to wait for fewer of @kept
 */
struct tracker {
	struct blkfilter flt;
	struct kref kref;
	mempool_t writes;
	mempool_t store_writes;
	spinlock_t lock; /* map, area, detaching */
	struct cbt_map *map;
	struct diff_area *area;
	bool detaching;
	bool resized;
	struct storage_probe __rcu *probe;
	struct diff_area *armed;
	unsigned int epoch;
	atomic_long_t in_flight[2];
	wait_queue_head_t idle;
	atomic_t kept;
	wait_queue_head_t room;
};

/**
 * struct tracked_write - a write on its way, from submission to completion
 * @hook:	tells of its completion
 * @tracker:	the device's tracker, stays while the write is in flight
 * @bio:	the write
 * @pool:	where this is from
 * @epoch:	which counter it is in
 * @area:	the snapshot's part that it was seen by, or NULL
 * @link:	entry in the list of writes that @area lets wait
 * @next:	first chunk that may still have to be copied
 * @last:	last chunk that it touches
 */
struct tracked_write {
	struct blkfilter_hook hook;
	struct tracker *tracker;
	struct bio *bio;
	mempool_t *pool;
	unsigned int epoch;
	struct diff_area *area;
	struct list_head link;
	u64 next;
	u64 last;
};

int tracker_init(void);
void tracker_exit(void);

/*
 * Filters may be attached from here on. Not before it is certain that the
 * module stays: an attached filter does not keep it when its init fails.
 */
void tracker_open(void);

static inline struct tracker *tracker_of(struct blkfilter *flt)
{
	return container_of(flt, struct tracker, flt);
}

void tracker_get(struct tracker *tracker);
void tracker_put(struct tracker *tracker);

/*
 * The device, with a reference of the caller's to its bd_device; NULL if it is
 * going. A tracker outlives its device, in a snapshot.
 */
struct block_device *tracker_get_bdev(struct tracker *tracker);

/* The change map with a reference of the caller's. */
struct cbt_map *tracker_get_map(struct tracker *tracker);

/*
 * Put the device into a snapshot.
 * Return: 0, -EALREADY if it is in this one, -EBUSY if in another, -ENODEV if
 * it is going.
 */
int tracker_join(struct tracker *tracker, struct diff_area *area);
void tracker_leave(struct tracker *tracker);

/*
 * Whether the map can tell what has changed on the device, which has @capacity
 * sectors now. If not it needs a new one.
 */
bool tracker_map_is_good(struct tracker *tracker, sector_t capacity);

/*
 * Mark by hand, in both maps. @nr sectors from @sector on must lie within the
 * device. Context: may sleep.
 */
void tracker_mark_both(struct tracker *tracker, sector_t sector, sector_t nr);

/* The cut: see above. May sleep for it; nothing between may sleep for I/O. */
void tracker_cut_begin(void);
void tracker_cut_end(void);

/*
 * Within the cut: freeze the changes and give all further writes to @area. If
 * @new_map is not NULL it takes the place of the map, which is returned for the
 * caller to put. Writes that were seen before are in in_flight[!epoch] now.
 */
struct cbt_map *tracker_arm(struct tracker *tracker, struct diff_area *area,
			    struct cbt_map *new_map);

/* Within the cut: the snapshot is not held any more. */
void tracker_disarm(struct tracker *tracker);

/* Wait for the writes that were seen before the latest tracker_arm(). */
void tracker_drain(struct tracker *tracker);

/* A write has to wait. Context: any. */
void tracker_keep(struct tracked_write *write);

/* Let a write that waited go on. Context: may sleep. */
void tracker_resume(struct tracked_write *write);

/* tracker_ctl.c: commands for one device. */
int tracker_ctl(struct blkfilter *flt, unsigned int cmd, void __user *arg,
		u32 len);

#endif /* BLKSNAP_TRACKER_H */
