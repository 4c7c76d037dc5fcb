// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: change map of a device.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/blksnap.h>
#include "cbt_map.h"
#include "geometry.h"
#include "params.h"

#define CBT_NUMBER_FIRST	1

struct cbt_map *cbt_map_create(sector_t capacity)
{
	struct blksnap_granularity granularity;
	struct cbt_map *map;
	u64 count;
	gfp_t gfp;

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);

	blksnap_tracking_granularity(&granularity);
	kref_init(&map->kref);
	spin_lock_init(&map->frozen_lock);
	map->capacity = capacity;
	map->shift = blksnap_unit_shift(&granularity, capacity);
	map->number = CBT_NUMBER_FIRST;
	generate_random_uuid(map->generation.b);

	count = blksnap_unit_count(capacity, map->shift);
	if (count > INT_MAX) {
		kfree(map);
		return ERR_PTR(-EFBIG);
	}
	map->count = count;
	/* Large as it may be, nobody is to be killed for it. */
	gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	map->active = kvzalloc(map->count, gfp);
	map->frozen = kvzalloc(map->count, gfp);
	if (!map->active || !map->frozen) {
		cbt_map_put(map);
		return ERR_PTR(-ENOMEM);
	}
	return map;
}

static void cbt_map_free(struct kref *kref)
{
	struct cbt_map *map = container_of(kref, struct cbt_map, kref);

	kvfree(map->active);
	kvfree(map->frozen);
	kfree(map);
}

void cbt_map_get(struct cbt_map *map)
{
	kref_get(&map->kref);
}

void cbt_map_put(struct cbt_map *map)
{
	if (map)
		kref_put(&map->kref, cbt_map_free);
}

static void cbt_map_fill(struct cbt_map *map, u8 *blocks, sector_t sector,
			 sector_t nr)
{
	u64 first, last, block;

	if (!nr || sector >= map->capacity)
		return;
	nr = min(nr, map->capacity - sector);
	first = blksnap_unit_of(sector, map->shift);
	last = blksnap_unit_of(sector + nr - 1, map->shift);
	for (block = first; block <= last; block++)
		WRITE_ONCE(blocks[block], map->number);
}

void cbt_map_mark(struct cbt_map *map, sector_t sector, sector_t nr)
{
	cbt_map_fill(map, map->active, sector, nr);
}

void cbt_map_mark_both(struct cbt_map *map, sector_t sector, sector_t nr)
{
	cbt_map_fill(map, map->active, sector, nr);
	spin_lock(&map->frozen_lock);
	cbt_map_fill(map, map->frozen, sector, nr);
	spin_unlock(&map->frozen_lock);
}

void cbt_map_take(struct cbt_map *map)
{
	spin_lock(&map->frozen_lock);
	if (map->number < U8_MAX) {
		memcpy(map->frozen, map->active, map->count);
		map->taken_number = map->number;
		map->number++;
	} else {
		memset(map->active, 0, map->count);
		memset(map->frozen, 0, map->count);
		map->taken_number = 0;
		map->number = CBT_NUMBER_FIRST;
		generate_random_uuid(map->generation.b);
	}
	spin_unlock(&map->frozen_lock);
}

int cbt_map_read(struct cbt_map *map, u32 offset, u32 len, u8 __user *buf)
{
	u32 done = 0;
	u8 *piece;
	int ret = 0;

	if (offset >= map->count)
		return 0;
	len = min(len, map->count - offset);

	piece = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!piece)
		return -ENOMEM;
	while (done < len) {
		u32 size = min_t(u32, len - done, PAGE_SIZE);

		spin_lock(&map->frozen_lock);
		memcpy(piece, map->frozen + offset + done, size);
		spin_unlock(&map->frozen_lock);
		if (copy_to_user(buf + done, piece, size)) {
			ret = -EFAULT;
			break;
		}
		done += size;
	}
	kfree(piece);
	return ret ? ret : done;
}

void cbt_map_info(struct cbt_map *map, struct blksnap_cbtinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->device_capacity = (u64)map->capacity << SECTOR_SHIFT;
	info->block_size = 1U << map->shift;
	info->block_count = map->count;
	spin_lock(&map->frozen_lock);
	memcpy(info->generation_id, map->generation.b,
	       sizeof(info->generation_id));
	info->changes_number = map->taken_number;
	spin_unlock(&map->frozen_lock);
}
