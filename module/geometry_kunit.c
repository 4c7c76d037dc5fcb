// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tests of how a device is cut into units.
 */
#include <kunit/test.h>
#include "geometry.c"

#define BLOCK_SHIFT	16
/* Sectors of such a block. */
#define BLOCK		128ULL

static const struct unit_shift_param {
	const char *desc;
	struct blksnap_granularity granularity;
	sector_t capacity;
	unsigned int expected;
} unit_shift_params[] = {
	{ "one sector", { 16, 2097152, 26 }, 1, 16 },
	{ "as many as allowed", { 16, 2097152, 26 }, 2097152 * BLOCK, 16 },
	{ "one sector more", { 16, 2097152, 26 }, 2097152 * BLOCK + 1, 17 },
	{ "twice as many", { 16, 2097152, 26 }, 2097152 * BLOCK * 2, 17 },
	{ "twice as many and a sector", { 16, 2097152, 26 }, 2097152 * BLOCK * 2 + 1, 18 },
	{ "the largest size is not enough", { 16, 1000, 20 }, 1ULL << 40, 20 },
	{ "smallest and largest are the same", { 18, 1, 18 }, 1ULL << 40, 18 },
	{ "the largest is below the smallest", { 18, 1, 12 }, 1ULL << 40, 18 },
	{ "units of a sector", { 9, 1000, 26 }, 1000, 9 },
	{ "a single unit", { 9, 1, 26 }, 1001, 19 },
	{ "2^64 - 1 sectors", { 16, 2097152, 26 }, U64_MAX, 26 },
};

KUNIT_ARRAY_PARAM_DESC(unit_shift, unit_shift_params, desc);

static void unit_shift_should_follow_the_rule(struct kunit *test)
{
	const struct unit_shift_param *param = test->param_value;

	KUNIT_EXPECT_EQ(test, param->expected,
			blksnap_unit_shift(&param->granularity,
					   param->capacity));
}

static void unit_shift_should_be_the_smallest_that_fits(struct kunit *test)
{
	struct blksnap_granularity granularity = { 12, 0, 26 };
	sector_t capacity;
	unsigned int shift;

	for (capacity = 1; capacity < 1ULL << 30; capacity += capacity / 3 + 1) {
		for (granularity.count_max = 1; granularity.count_max < 5000;
		     granularity.count_max *= 7) {
			shift = blksnap_unit_shift(&granularity, capacity);
			/* What follows shifts by it. */
			KUNIT_ASSERT_GE(test, shift, 12);
			KUNIT_ASSERT_LE(test, shift, 26);
			if (shift < 26)
				KUNIT_EXPECT_GE(test,
						(u64)granularity.count_max << (shift - 9),
						capacity);
			if (shift > 12)
				KUNIT_EXPECT_LT(test,
						(u64)granularity.count_max << (shift - 10),
						capacity);
		}
	}
}

static const struct unit_count_param {
	const char *desc;
	sector_t capacity;
	unsigned int shift;
	u64 expected;
} unit_count_params[] = {
	{ "nothing", 0, BLOCK_SHIFT, 0 },
	{ "one sector", 1, BLOCK_SHIFT, 1 },
	{ "a sector less than a unit", BLOCK - 1, BLOCK_SHIFT, 1 },
	{ "a unit", BLOCK, BLOCK_SHIFT, 1 },
	{ "a unit and a sector", BLOCK + 1, BLOCK_SHIFT, 2 },
	{ "units of a sector", 1001, 9, 1001 },
	{ "2^32 units and a sector", (BLOCK << 32) + 1, BLOCK_SHIFT, (1ULL << 32) + 1 },
	{ "2^64 - 1 sectors", U64_MAX, BLOCK_SHIFT, 1ULL << 57 },
};

KUNIT_ARRAY_PARAM_DESC(unit_count, unit_count_params, desc);

static void unit_count_should_count_a_partial_last_unit(struct kunit *test)
{
	const struct unit_count_param *param = test->param_value;

	KUNIT_EXPECT_EQ(test, param->expected,
			blksnap_unit_count(param->capacity, param->shift));
}

static void unit_of_should_change_at_the_borders_only(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, blksnap_unit_of(0, BLOCK_SHIFT), 0);
	KUNIT_EXPECT_EQ(test, blksnap_unit_of(BLOCK - 1, BLOCK_SHIFT), 0);
	KUNIT_EXPECT_EQ(test, blksnap_unit_of(BLOCK, BLOCK_SHIFT), 1);
	KUNIT_EXPECT_EQ(test, blksnap_unit_of(BLOCK * 2 - 1, BLOCK_SHIFT), 1);
	KUNIT_EXPECT_EQ(test, blksnap_unit_of((BLOCK << 32) - 1, BLOCK_SHIFT),
			U32_MAX);
	KUNIT_EXPECT_EQ(test, blksnap_unit_of(BLOCK << 32, BLOCK_SHIFT),
			1ULL << 32);
	KUNIT_EXPECT_EQ(test, blksnap_unit_of(1001, SECTOR_SHIFT), 1001);
}

static void unit_start_should_be_the_first_sector_of_the_unit(struct kunit *test)
{
	u64 unit;

	for (unit = 1; unit < 1ULL << 40; unit = unit * 3 + 1) {
		sector_t start = blksnap_unit_start(unit, BLOCK_SHIFT);

		KUNIT_EXPECT_EQ(test, blksnap_unit_of(start, BLOCK_SHIFT), unit);
		KUNIT_EXPECT_EQ(test, blksnap_unit_of(start - 1, BLOCK_SHIFT),
				unit - 1);
	}
}

static void unit_sectors_should_be_short_at_the_end_only(struct kunit *test)
{
	const sector_t capacity = BLOCK * 2 + 3;

	KUNIT_EXPECT_EQ(test, BLOCK, blksnap_unit_sectors(0, BLOCK_SHIFT, capacity));
	KUNIT_EXPECT_EQ(test, BLOCK, blksnap_unit_sectors(1, BLOCK_SHIFT, capacity));
	KUNIT_EXPECT_EQ(test, 3, blksnap_unit_sectors(2, BLOCK_SHIFT, capacity));
	KUNIT_EXPECT_EQ(test, BLOCK,
			blksnap_unit_sectors(1, BLOCK_SHIFT, BLOCK * 2));
	KUNIT_EXPECT_EQ(test, 1, blksnap_unit_sectors(0, BLOCK_SHIFT, 1));
}

static void unit_sectors_should_add_up_to_the_device(struct kunit *test)
{
	sector_t capacity, sum;
	u64 unit;

	for (capacity = 1; capacity < BLOCK * 40; capacity += 61) {
		sum = 0;
		for (unit = 0; unit < blksnap_unit_count(capacity, BLOCK_SHIFT);
		     unit++)
			sum += blksnap_unit_sectors(unit, BLOCK_SHIFT, capacity);
		KUNIT_EXPECT_EQ(test, sum, capacity);
	}
}

static const struct range_param {
	const char *desc;
	sector_t sector;
	sector_t nr;
	bool is_valid;
} range_params[] = {
	{ "first sector", 0, 1, true },
	{ "last sector", 999, 1, true },
	{ "whole device", 0, 1000, true },
	{ "up to the end", 500, 500, true },
	{ "nothing", 0, 0, false },
	{ "nothing at the end", 1000, 0, false },
	{ "a sector more than the device", 0, 1001, false },
	{ "one sector past the end", 500, 501, false },
	{ "at the end", 1000, 1, false },
	{ "far away", 1ULL << 60, 1, false },
	{ "an end that overflows to 0", U64_MAX, 1, false },
	{ "an end that overflows into the device", 999, U64_MAX, false },
	{ "as many as can be said", 0, U64_MAX, false },
};

KUNIT_ARRAY_PARAM_DESC(range, range_params, desc);

static void range_should_be_valid_within_the_device_only(struct kunit *test)
{
	const struct range_param *param = test->param_value;

	KUNIT_EXPECT_EQ(test, param->is_valid,
			blksnap_range_is_valid(param->sector, param->nr, 1000));
}

static struct kunit_case geometry_cases[] = {
	/* CBT-01 COW-02 */
	KUNIT_CASE_PARAM(unit_shift_should_follow_the_rule,
			 unit_shift_gen_params),
	KUNIT_CASE(unit_shift_should_be_the_smallest_that_fits),
	KUNIT_CASE_PARAM(unit_count_should_count_a_partial_last_unit,
			 unit_count_gen_params),
	/* CBT-02 */
	KUNIT_CASE(unit_of_should_change_at_the_borders_only),
	KUNIT_CASE(unit_start_should_be_the_first_sector_of_the_unit),
	/* COW-02 */
	KUNIT_CASE(unit_sectors_should_be_short_at_the_end_only),
	KUNIT_CASE(unit_sectors_should_add_up_to_the_device),
	/* CBT-07 ABI-03 */
	KUNIT_CASE_PARAM(range_should_be_valid_within_the_device_only,
			 range_gen_params),
	{}
};

static struct kunit_suite geometry_suite = {
	.name = "blksnap_geometry",
	.test_cases = geometry_cases,
};

kunit_test_suite(geometry_suite);
