// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: how a device is cut into units.
 */
#include "geometry.h"

unsigned int blksnap_unit_shift(const struct blksnap_granularity *granularity,
				sector_t capacity)
{
	unsigned int shift = granularity->shift_min;

	while (shift < granularity->shift_max &&
	       blksnap_unit_count(capacity, shift) > granularity->count_max)
		shift++;
	return shift;
}
