/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: storage order. Which snapshots wait for which: a chunk that is
 * stored on a device of another snapshot waits for a chunk of that one to be
 * stored; and what the filter of a disk has let pass waits in that of one of
 * its partitions, or the other way round, if that got its filter later. That
 * goes well as long as it does not come round to where it began.
 *
 * As diff_storage_is_on(), it does not see what a loop device has below it, nor
 * a file system that does not tell its device, such as btrfs: a ring through one
 * of these is not noticed.
 *
 * Locking: a mutex of its own, inner to snapshot->lock and outer to the
 * tracker's lock.
 */
#ifndef BLKSNAP_STORAGE_ORDER_H
#define BLKSNAP_STORAGE_ORDER_H

struct diff_area;

/*
 * Take the area's device into account. Context: may sleep; the device is held
 * by the caller, and the area's storage is there until storage_order_leave().
 * Return: 0, -EDEADLK if the area would wait for itself: what its storage takes
 * is written to the device, at once or by way of other snapshots.
 */
int storage_order_enter(struct diff_area *area);

/* Context: may sleep. Those that were refused have not entered. */
void storage_order_leave(struct diff_area *area);

#endif /* BLKSNAP_STORAGE_ORDER_H */
