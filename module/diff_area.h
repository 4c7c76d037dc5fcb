/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: difference area, one device's part in a snapshot. It knows for each
 * chunk where the state at the cut is: still on the device, in a copy in
 * memory, or in the difference storage. It lets a write pass when all chunks
 * that it touches are copied, and nobody reads them from the device for the
 * image.
 *
 * Life: diff_area_create() when the device joins, diff_area_prepare() before
 * the cut, the cut, diff_area_drain_begin() and _wait() for the writes from
 * before the cut, diff_area_close_begin() and _wait() when the snapshot is
 * destroyed.
 * The first error ends it early, once and for good: then all writes pass, and
 * all reads of the image fail.
 *
 * Locking: @lock is irq-safe and covers the fields below it; it is never held
 * over I/O or allocation. Inside it are the locks of the storage's account and
 * of the event queue.
 */
#ifndef BLKSNAP_DIFF_AREA_H
#define BLKSNAP_DIFF_AREA_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/blksnap.h>

struct diff_copy;
struct diff_storage;
struct event;
struct event_queue;
struct file;
struct image;
struct snapshot;
struct tracked_write;
struct tracker;

#define DIFF_AREA_HASH_BITS	6

/* What becomes of a write. */
enum diff_area_verdict {
	DIFF_AREA_PASS,		/* it may go to the device */
	DIFF_AREA_WAIT,		/* it is kept, and sent on later */
	DIFF_AREA_AGAIN,	/* it would have to wait, and must not */
};

/**
 * struct diff_area - one device's part in a snapshot
 * @kref:	one for the snapshot, one for the image
 * @link:	entry in the snapshot's list
 * @snapshot:	to tell siblings; not to be followed
 * @tracker:	the device's tracker, a reference
 * @dev:	the device's number; the device itself may go
 * @diskseq:	number of its disk in the order in which disks came
 * @is_below_storage: some snapshot's storage lies on the device
 * @order_link:	entry in the list of storage_order.c, under its lock
 * @is_reached:	what was looked at last there waits for this area
 * @name:	its name, for messages
 * @storage:	the snapshot's difference storage
 * @events:	the snapshot's events
 * @image:	the image device, NULL before take
 * @capacity:	sectors of the device at the cut
 * @shift:	size of a chunk, log2 of bytes
 * @count:	number of chunks
 * @bios:	bios that read the device
 * @kick_wq:	lets waiting writes go on
 * @store_wq:	stores copies. Apart from @kick_wq, as it waits for writes to
 *		other devices; and both are the area's own, as those may wait
 *		for other areas.
 * @kick_work:	looks at all waiting writes
 * @drain_work:	waits for the writes from before the cut
 * @writes:	writes that were seen by this area and are not completed
 * @wait:	woken after each change of what is below, and of @writes
 * @lock:	protects the rest
 * @changes:	counts the changes that @wait is woken for
 * @error:	0, or what has ended the area, a negative errno
 * @is_armed:	the cut has been, or comes now; who loses the image then is told
 * @closed:	the snapshot goes
 * @draining:	writes from before the cut may still be on their way
 * @stored:	for each chunk 0, or 1 + its first sector in the storage
 * @copies:	struct diff_copy in use, by chunk
 * @readers:	struct diff_reader, by chunk
 * @free_copies: struct diff_copy not in use
 * @nr_copies:	number of copies in use
 * @nr_reads:	reads of the device on their way
 * @nr_copying:	those of @nr_reads that are for copies
 * @nr_users:	openers of the image
 * @held:	the device, open as long as the image may read it, or NULL
 * @waiting:	struct tracked_write, in the order of their arrival
 * @event:	to tell of @error, NULL once told
 * @image_name:	name of the image below /dev, empty if there is none
 */
struct diff_area {
	struct kref kref;
	struct list_head link;
	struct snapshot *snapshot;
	struct tracker *tracker;
	dev_t dev;
	u64 diskseq;
	bool is_below_storage;
	struct list_head order_link;
	bool is_reached;
	char name[BDEVNAME_SIZE];
	struct diff_storage *storage;
	struct event_queue *events;
	struct image *image;
	sector_t capacity;
	unsigned int shift;
	u64 count;
	struct bio_set bios;
	struct workqueue_struct *kick_wq;
	struct workqueue_struct *store_wq;
	struct work_struct kick_work;
	struct work_struct drain_work;
	atomic_long_t writes;
	wait_queue_head_t wait;

	spinlock_t lock; /* irq-safe, for all below */
	unsigned long changes;
	int error;
	bool is_armed;
	bool closed;
	bool draining;
	u64 *stored;
	DECLARE_HASHTABLE(copies, DIFF_AREA_HASH_BITS);
	DECLARE_HASHTABLE(readers, DIFF_AREA_HASH_BITS);
	struct list_head free_copies;
	unsigned int nr_copies;
	unsigned int nr_reads;
	unsigned int nr_copying;
	unsigned int nr_users;
	struct file *held;
	struct list_head waiting;
	struct event *event;
	char image_name[BLKSNAP_IMAGE_NAME_SIZE];
};

/*
 * Context of the next four: may sleep. To create, the device must be held by
 * the caller, who has it open.
 */
struct diff_area *diff_area_create(struct snapshot *snapshot,
				   struct tracker *tracker,
				   struct diff_storage *storage,
				   struct event_queue *events);
void diff_area_get(struct diff_area *area);
void diff_area_put(struct diff_area *area);

static inline bool diff_area_is_sibling(const struct diff_area *one,
					const struct diff_area *other)
{
	return one->snapshot == other->snapshot;
}

/*
 * Get all that is needed to hold the state of the device @bdev as of a cut that
 * is to come. Return: 0, -ENODEV if the device is gone, -ENOMEM.
 */
int diff_area_prepare(struct diff_area *area, struct block_device *bdev);

/*
 * Undo diff_area_prepare(): no cut has come, or its state is not needed any
 * more. In the first case the area may be prepared again.
 */
void diff_area_unprepare(struct diff_area *area);

/*
 * The cut comes, unless something has happened to the device since
 * diff_area_prepare(). Return: 0, -ENODEV if it is gone, -EAGAIN if not.
 */
int diff_area_arm(struct diff_area *area);

/*
 * After the cut: wait until the writes from before it are on the device. Until
 * then nothing is copied. To begin does not sleep.
 */
void diff_area_drain_begin(struct diff_area *area);
void diff_area_drain_wait(struct diff_area *area);

/*
 * After the cut was taken back and the image is gone: let all waiting writes
 * go, and wait until no write that was seen is in flight. To begin does not
 * sleep.
 */
void diff_area_close_begin(struct diff_area *area);
void diff_area_close_wait(struct diff_area *area);

/*
 * The device goes. On return the area has no I/O on it and starts none; writes
 * that wait are on their way. Context: may sleep, see blkfilter's detach.
 */
void diff_area_device_gone(struct diff_area *area);

/*
 * Somebody opens or closes the image. Drivers rely on it that who sends I/O to
 * their device has it open: some give up what they need for I/O as soon as
 * nobody has. So it is held open as long as the image is, unless the area has
 * ended and nothing will be read. Reads for copies are covered by the writes
 * that wait for them, whose senders have it open.
 * Context: may sleep; one call for an area at a time, as the image's open_mutex
 * sees to. Return: 0 or what opening the device says.
 */
int diff_area_open_device(struct diff_area *area);
void diff_area_close_device(struct diff_area *area);

/*
 * Whoever has the image open, the device is not held for them any more: no read
 * of it is running and none will start. Context: may sleep.
 */
void diff_area_let_device_go(struct diff_area *area);

/*
 * The device has @sectors now. If it has lost a part of the image, that is the
 * end of the area, as the part may come back with other data.
 * Context: does not sleep.
 */
void diff_area_resized(struct diff_area *area, sector_t sectors);

/* End the area with @error if nothing has ended it yet. Context: any. */
void diff_area_fail(struct diff_area *area, int error);

void diff_area_set_image_name(struct diff_area *area, const char *name);

/* State and image of the device; all of @info is set. */
void diff_area_info(struct diff_area *area, struct blksnap_snapshotinfo *info);

/* Whether there is no point in going on: it failed or is closed. */
static inline bool diff_area_is_over(struct diff_area *area)
{
	return READ_ONCE(area->error) || READ_ONCE(area->closed);
}

/* The storage has got more space, or will get no more. Context: process. */
void diff_area_storage_grown(struct diff_area *area);

/* Sectors of a chunk; fewer than others for the last one of a device. */
sector_t diff_area_chunk_sectors(struct diff_area *area, u64 chunk);

/* A write is seen, within the tracker's cut lock; its completion. */
void diff_area_write_begin(struct diff_area *area, struct tracked_write *write,
			   sector_t sector, sector_t nr);
void diff_area_write_done(struct diff_area *area);

/*
 * Decide on a write that was seen. May start copies. Context: may sleep for I/O
 * resources unless the write has REQ_NOWAIT.
 */
enum diff_area_verdict diff_area_admit(struct diff_area *area,
				       struct tracked_write *write);

/* From diff_copy.c: the data is in memory or there is an error; any context. */
void diff_area_copy_ready(struct diff_area *area, struct diff_copy *copy);
/* From diff_copy.c: the copy is stored, or @error tells why not. */
void diff_area_copy_stored(struct diff_area *area, struct diff_copy *copy,
			   int error);

/*
 * Read or write what @iter of @bio covers, which is within one chunk of the
 * image; its sector counts from the start of the device.
 * Context: process, sleeps. Return: 0, -EIO, -ENOSPC.
 */
int diff_area_read_image(struct diff_area *area, struct bio *bio,
			 struct bvec_iter iter);
int diff_area_write_image(struct diff_area *area, struct bio *bio,
			  struct bvec_iter iter);

#endif /* BLKSNAP_DIFF_AREA_H */
