/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: change map of a device.
 *
 * One byte per block: the number of the snapshot interval in which the block
 * was changed last, 0 if never in this generation. There are two copies. Marks
 * go to the active one; the frozen one is what user space reads, and changes
 * only when a snapshot is taken.
 *
 * Locking: marking takes no lock. All who mark between two calls of
 * cbt_map_take() write the same number, so neither order nor repetition matter.
 * The caller keeps marking and cbt_map_take() apart (the tracker's cut lock).
 * @frozen_lock keeps readers and cbt_map_take() apart.
 */
#ifndef BLKSNAP_CBT_MAP_H
#define BLKSNAP_CBT_MAP_H

#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uuid.h>

struct blksnap_cbtinfo;

/**
 * struct cbt_map - change map
 * @kref:		the tracker has one reference, each reader another
 * @capacity:		sectors of the device when the map was made
 * @shift:		size of a block, log2 of bytes
 * @count:		number of blocks
 * @number:		the number that marks carry now, 1 to 255
 * @taken_number:	the number that marks carried up to the latest take, 0
 *			if there was none in this generation
 * @generation:		name of the run of snapshots whose numbers compare
 * @frozen_lock:	protects @frozen, @taken_number and @generation
 * @active:		map that marks go to, @count bytes
 * @frozen:		map that is read, @count bytes
 */
struct cbt_map {
	struct kref kref;
	sector_t capacity;
	unsigned int shift;
	u32 count;
	u8 number;
	u8 taken_number;
	uuid_t generation;
	spinlock_t frozen_lock; /* readers against take */
	u8 *active;
	u8 *frozen;
};

/*
 * A new map in a new generation for a device of @capacity sectors.
 * Context: may sleep. Return: the map or an ERR_PTR(): -ENOMEM, -EFBIG if the
 * blocks cannot be counted in 32 bits.
 */
struct cbt_map *cbt_map_create(sector_t capacity);
void cbt_map_get(struct cbt_map *map);
void cbt_map_put(struct cbt_map *map);

/*
 * Mark the blocks that @nr sectors from @sector on touch. What lies beyond the
 * map is left out; the capacity has changed then, and the next take starts a
 * new map. Context: any.
 */
void cbt_map_mark(struct cbt_map *map, sector_t sector, sector_t nr);

/*
 * Mark in both maps, for changes that belong to the snapshot that is held as
 * well as to the next one. Context: process.
 */
void cbt_map_mark_both(struct cbt_map *map, sector_t sector, sector_t nr);

/*
 * A snapshot is taken: freeze what was marked, and go on with the next number.
 * After 255 start a new generation. Context: process, does not sleep.
 */
void cbt_map_take(struct cbt_map *map);

/*
 * Copy up to @len bytes of the frozen map from @offset on to user space.
 * Context: may sleep. Return: bytes copied, 0 at or past the end, -EFAULT.
 */
int cbt_map_read(struct cbt_map *map, u32 offset, u32 len, u8 __user *buf);

/* Describe the map; all of @info is set. */
void cbt_map_info(struct cbt_map *map, struct blksnap_cbtinfo *info);

#endif /* BLKSNAP_CBT_MAP_H */
