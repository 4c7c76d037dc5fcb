/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: storage probe. Finds out whether what is written to a difference
 * storage arrives at a device, by ways that diff_storage_is_on() cannot follow,
 * as through a loop device: writes pages that say who they are, and watches the
 * device's writes.
 *
 * It does not see through what changes the data on its way, as encryption and
 * parity do, nor what is written to other places than it tries.
 */
#ifndef BLKSNAP_STORAGE_PROBE_H
#define BLKSNAP_STORAGE_PROBE_H

#include <linux/types.h>
#include <linux/uuid.h>

struct bio;
struct diff_storage;
struct tracker;

/**
 * struct storage_probe - a probe on its way
 * @id:		what the start of each of its sectors holds
 * @is_seen:	one of them has come to the device
 */
struct storage_probe {
	uuid_t id;
	bool is_seen;
};

/*
 * Context: may sleep for I/O. The storage must have no chunks yet.
 * Return: 0, -EDEADLK if the storage lies on the tracker's device, or the error
 * of writing to the storage.
 */
int storage_probe(struct diff_storage *storage, struct tracker *tracker);

/* Look for the probe in a write to the device. Context: does not sleep. */
void storage_probe_check(struct storage_probe *probe, struct bio *bio);

#endif /* BLKSNAP_STORAGE_PROBE_H */
