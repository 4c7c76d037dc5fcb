/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: how a device is cut into units of a power of two, be they blocks of
 * change tracking or chunks of copy-on-write. Pure arithmetic.
 */
#ifndef BLKSNAP_GEOMETRY_H
#define BLKSNAP_GEOMETRY_H

#include <linux/blk_types.h>
#include <linux/minmax.h>
#include <linux/types.h>

/**
 * struct blksnap_granularity - rule that chooses the size of a unit
 * @shift_min:	smallest size, log2 of bytes, at least SECTOR_SHIFT
 * @count_max:	the size doubles until a device needs no more units than these
 * @shift_max:	largest size, log2 of bytes; then the number of units may exceed
 *		@count_max. Below @shift_min it counts as @shift_min.
 */
struct blksnap_granularity {
	unsigned int shift_min;
	unsigned int count_max;
	unsigned int shift_max;
};

/* Size of a unit, log2 of bytes, for a device of @capacity sectors. */
unsigned int blksnap_unit_shift(const struct blksnap_granularity *granularity,
				sector_t capacity);

/* Number of units of a device of @capacity sectors; the last may be partial. */
static inline u64 blksnap_unit_count(sector_t capacity, unsigned int shift)
{
	unsigned int sector_shift = shift - SECTOR_SHIFT;

	return (capacity >> sector_shift) +
	       !!(capacity & ((1ULL << sector_shift) - 1));
}

/* The unit that @sector is in. */
static inline u64 blksnap_unit_of(sector_t sector, unsigned int shift)
{
	return sector >> (shift - SECTOR_SHIFT);
}

/* First sector of a unit. */
static inline sector_t blksnap_unit_start(u64 unit, unsigned int shift)
{
	return unit << (shift - SECTOR_SHIFT);
}

/* Sectors of a unit that a device of @capacity sectors has. */
static inline sector_t blksnap_unit_sectors(u64 unit, unsigned int shift,
					    sector_t capacity)
{
	return min_t(sector_t, blksnap_unit_start(1, shift),
		     capacity - blksnap_unit_start(unit, shift));
}

/* Whether @nr sectors from @sector on are some, and lie within @capacity. */
static inline bool blksnap_range_is_valid(sector_t sector, sector_t nr,
					  sector_t capacity)
{
	return nr && sector < capacity && nr <= capacity - sector;
}

#endif /* BLKSNAP_GEOMETRY_H */
