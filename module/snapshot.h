/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: snapshots, from creation to destruction. A snapshot belongs to no
 * process: it stays until it is destroyed.
 *
 * All functions: context process, may sleep. Those that take an id return
 * -ESRCH if there is no such snapshot.
 */
#ifndef BLKSNAP_SNAPSHOT_H
#define BLKSNAP_SNAPSHOT_H

#include <linux/types.h>
#include <linux/uuid.h>

struct event;
struct tracker;

/*
 * A new snapshot without devices, with the file @fd as difference storage of up
 * to @limit sectors. Return: 0 and its id, or what diff_storage_create() says.
 */
int snapshot_create(int fd, sector_t limit, uuid_t *id);

/*
 * Put a device into a snapshot that is not taken yet. Return: 0, -EALREADY if
 * it is in it, -EBUSY if it is in another one or the snapshot is taken, -EDEADLK
 * if what the difference storage takes would be written to the device, at once
 * or by way of other snapshots, -ENODEV if the device is going, or the error of
 * writing to the storage.
 */
int snapshot_add(const uuid_t *id, struct tracker *tracker);

/*
 * Freeze the state of all devices at one instant. Return: 0, -EALREADY if it is
 * taken, -ENODEV if there is no device or one has gone, -ENOMEM, or what the
 * freezing of a file system says. After an error nothing has changed.
 */
int snapshot_take(const uuid_t *id);

/* End a snapshot. On return its images are gone, and its space is free. */
int snapshot_destroy(const uuid_t *id);

/*
 * Copy the ids of up to @room snapshots to @ids.
 * Return: the number of snapshots there are; nothing is copied if it is larger.
 */
unsigned int snapshot_collect(uuid_t *ids, unsigned int room);

/*
 * Wait for an event and give it to @deliver; if that fails, the event is kept for
 * the next who waits. Return: 0, what @deliver says, or -ENOENT, -EINTR and
 * -ESRCH as event_queue_wait().
 */
int snapshot_wait_event(const uuid_t *id, u32 timeout_ms,
			int (*deliver)(struct event *event, void *arg),
			void *arg);

#endif /* BLKSNAP_SNAPSHOT_H */
