// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tests of the change map.
 */
#include "cbt_map.c"

#include <kunit/test.h>
#include <linux/mman.h>

/* A block of 64 KiB, in sectors. */
#define BLOCK		128
/* Ten blocks and 3 sectors. */
#define BLOCKS		11
#define CAPACITY	(10 * BLOCK + 3)

static struct cbt_map *map_of(struct kunit *test)
{
	return test->priv;
}

static void put_map(void *map)
{
	cbt_map_put(map);
}

/* A map that goes with the test. */
static struct cbt_map *create(struct kunit *test, sector_t capacity)
{
	struct cbt_map *map = cbt_map_create(capacity);

	/* Nothing can be said about a map that is not there. */
	KUNIT_ASSERT_FALSE(test, IS_ERR(map));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_map, map));
	return map;
}

/* One made by hand: how blocks are chosen is not what most tests are about. */
static struct cbt_map *make_map(struct kunit *test, sector_t capacity, u32 count)
{
	struct cbt_map *map = kunit_kzalloc(test, sizeof(*map), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	spin_lock_init(&map->frozen_lock);
	map->capacity = capacity;
	map->shift = 16;
	map->count = count;
	map->number = CBT_NUMBER_FIRST;
	generate_random_uuid(map->generation.b);
	map->active = kunit_kzalloc(test, count, GFP_KERNEL);
	map->frozen = kunit_kzalloc(test, count, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, map->active);
	KUNIT_ASSERT_NOT_NULL(test, map->frozen);
	return map;
}

static void take_times(struct kunit *test, unsigned int times)
{
	while (times--)
		cbt_map_take(map_of(test));
}

/* Blocks first to last have this byte, all others are 0. */
static void expect_only(struct kunit *test, const u8 *blocks, u32 first,
			u32 last, u8 number)
{
	u32 block;

	for (block = 0; block < BLOCKS; block++) {
		u8 expected = block >= first && block <= last ? number : 0;

		KUNIT_EXPECT_EQ_MSG(test, blocks[block], expected, "block %u",
				    block);
	}
}

static void expect_empty(struct kunit *test, const u8 *blocks)
{
	KUNIT_EXPECT_NULL(test, memchr_inv(blocks, 0, BLOCKS));
}

static void create_should_start_empty(struct kunit *test)
{
	struct cbt_map *map = create(test, CAPACITY);

	KUNIT_EXPECT_EQ(test, map->number, 1);
	KUNIT_EXPECT_EQ(test, map->taken_number, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(map->active, 0, map->count));
	KUNIT_EXPECT_NULL(test, memchr_inv(map->frozen, 0, map->count));
}

static const struct create_param {
	const char *desc;
	sector_t capacity;
	unsigned int shift;
	u32 count;
} create_params[] = {
	{ "one sector", 1, 16, 1 },
	{ "a block", BLOCK, 16, 1 },
	{ "a block and a sector", BLOCK + 1, 16, 2 },
	{ "as many blocks as allowed", 2097152ULL * BLOCK, 16, 2097152 },
	{ "one sector more than that", 2097152ULL * BLOCK + 1, 17, 1048577 },
	{ "16 TiB", 1ULL << 35, 23, 2097152 },
};

KUNIT_ARRAY_PARAM_DESC(create, create_params, desc);

static void create_should_choose_the_size_of_blocks(struct kunit *test)
{
	const struct create_param *param = test->param_value;
	struct cbt_map *map = create(test, param->capacity);

	KUNIT_EXPECT_EQ(test, map->shift, param->shift);
	KUNIT_EXPECT_EQ(test, map->count, param->count);
	KUNIT_EXPECT_EQ(test, map->capacity, param->capacity);
}

static void create_should_refuse_what_cannot_be_counted(struct kunit *test)
{
	/* 2^31 blocks of the largest size, one more than a map may have. */
	struct cbt_map *map = cbt_map_create(1ULL << (31 + 17));

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(map), -EFBIG);
	if (!IS_ERR(map))
		cbt_map_put(map);
}

static void create_should_begin_a_generation_of_its_own(struct kunit *test)
{
	struct cbt_map *one = create(test, CAPACITY);
	struct cbt_map *other = create(test, CAPACITY);

	KUNIT_EXPECT_FALSE(test, uuid_is_null(&one->generation));
	KUNIT_EXPECT_FALSE(test, uuid_equal(&one->generation,
					    &other->generation));
}

static const struct mark_param {
	const char *desc;
	sector_t sector;
	sector_t nr;
	u32 first;
	u32 last;
} mark_params[] = {
	{ "first sector", 0, 1, 0, 0 },
	{ "last sector", CAPACITY - 1, 1, 10, 10 },
	{ "a block", 2 * BLOCK, BLOCK, 2, 2 },
	{ "last sector of a block", 3 * BLOCK - 1, 1, 2, 2 },
	{ "across a border", 3 * BLOCK - 1, 2, 2, 3 },
	{ "a block's size, one sector off", 2 * BLOCK + 1, BLOCK, 2, 3 },
	{ "parts of the first and the last", 2 * BLOCK + 5, 3 * BLOCK, 2, 5 },
	{ "up to a border", 4 * BLOCK + 1, 2 * BLOCK - 1, 4, 5 },
	{ "the partial last block", 10 * BLOCK, 3, 10, 10 },
	{ "into the partial last block", 10 * BLOCK - 1, 4, 9, 10 },
	{ "everything", 0, CAPACITY, 0, 10 },
};

KUNIT_ARRAY_PARAM_DESC(mark, mark_params, desc);

static void mark_should_mark_the_touched_blocks_only(struct kunit *test)
{
	const struct mark_param *param = test->param_value;

	cbt_map_mark(map_of(test), param->sector, param->nr);
	expect_only(test, map_of(test)->active, param->first, param->last, 1);
}

static void mark_should_find_the_block_of_each_sector(struct kunit *test)
{
	struct cbt_map *map = map_of(test);
	sector_t sector;

	for (sector = 0; sector < CAPACITY; sector++) {
		memset(map->active, 0, BLOCKS);
		cbt_map_mark(map, sector, 1);
		expect_only(test, map->active, sector / BLOCK, sector / BLOCK, 1);
	}
}

static void mark_should_ignore_an_empty_range(struct kunit *test)
{
	cbt_map_mark(map_of(test), 0, 0);
	cbt_map_mark(map_of(test), 5 * BLOCK, 0);
	cbt_map_mark(map_of(test), CAPACITY, 0);
	expect_empty(test, map_of(test)->active);
}

static void mark_should_leave_out_what_lies_beyond(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	/* On a device that has grown. */
	cbt_map_mark(map, CAPACITY, 1);
	cbt_map_mark(map, CAPACITY + 100 * BLOCK, BLOCK);
	cbt_map_mark(map, U64_MAX, U64_MAX);
	expect_empty(test, map->active);
	cbt_map_mark(map, 9 * BLOCK, 100 * BLOCK);
	expect_only(test, map->active, 9, 10, 1);
	cbt_map_mark(map, 8 * BLOCK, U64_MAX);
	expect_only(test, map->active, 8, 10, 1);
}

static void mark_should_leave_the_frozen_map_alone(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	cbt_map_mark(map, 0, CAPACITY);
	expect_empty(test, map->frozen);
	cbt_map_take(map);
	cbt_map_mark(map, 0, CAPACITY);
	expect_only(test, map->frozen, 0, 10, 1);
}

static void mark_should_store_the_current_number(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	take_times(test, 41);
	cbt_map_mark(map, 3 * BLOCK, 1);
	expect_only(test, map->active, 3, 3, 42);
}

static void mark_should_replace_an_older_mark(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	cbt_map_mark(map, 0, 2 * BLOCK);
	cbt_map_take(map);
	cbt_map_mark(map, 0, 1);
	KUNIT_EXPECT_EQ(test, map->active[0], 2);
	KUNIT_EXPECT_EQ(test, map->active[1], 1);
}

static void mark_both_should_mark_both_maps(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	cbt_map_take(map);
	cbt_map_mark_both(map, 2 * BLOCK + 1, BLOCK);
	expect_only(test, map->active, 2, 3, 2);
	expect_only(test, map->frozen, 2, 3, 2);
}

static void mark_both_should_be_found_by_who_reads_now(struct kunit *test)
{
	struct cbt_map *map = map_of(test);
	unsigned int take;

	for (take = 1; take < 200; take++) {
		cbt_map_take(map);
		cbt_map_mark_both(map, 4 * BLOCK, 1);
		KUNIT_EXPECT_GT(test, map->frozen[4], map->taken_number);
	}
}

static void mark_both_should_leave_out_what_lies_beyond(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	cbt_map_mark_both(map, CAPACITY, BLOCK);
	cbt_map_mark_both(map, 10 * BLOCK + 2, U64_MAX);
	expect_only(test, map->active, 10, 10, 1);
	expect_only(test, map->frozen, 10, 10, 1);
}

static void take_should_freeze_the_marks(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	cbt_map_mark(map, 6 * BLOCK, 2 * BLOCK);
	cbt_map_take(map);
	expect_only(test, map->frozen, 6, 7, 1);
}

static void take_should_go_on_marking_where_it_was(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	cbt_map_mark(map, 6 * BLOCK, 1);
	take_times(test, 2);
	expect_only(test, map->active, 6, 6, 1);
	expect_only(test, map->frozen, 6, 6, 1);
}

static void take_should_raise_the_number_by_one(struct kunit *test)
{
	struct cbt_map *map = map_of(test);
	unsigned int take;

	for (take = 1; take < 255; take++) {
		cbt_map_take(map);
		KUNIT_EXPECT_EQ(test, map->taken_number, take);
		KUNIT_EXPECT_EQ(test, map->number, take + 1);
	}
}

static void take_should_keep_the_generation_up_to_255(struct kunit *test)
{
	uuid_t generation = map_of(test)->generation;
	unsigned int take;

	for (take = 1; take < 255; take++) {
		cbt_map_take(map_of(test));
		KUNIT_EXPECT_TRUE(test, uuid_equal(&generation,
						   &map_of(test)->generation));
	}
}

/* Marks block N % 11 before take N, and asks from the number of each take. */
static void take_should_let_each_earlier_number_find_the_changes(struct kunit *test)
{
	struct cbt_map *map = map_of(test);
	unsigned int latest[BLOCKS] = {};
	unsigned int take, since, block;

	for (take = 1; take < 255; take++) {
		cbt_map_mark(map, (take % BLOCKS) * BLOCK, 1);
		latest[take % BLOCKS] = take;
		cbt_map_take(map);
		for (since = 0; since <= take; since++)
			for (block = 0; block < BLOCKS; block++)
				KUNIT_EXPECT_EQ(test, map->frozen[block] > since,
						latest[block] > since);
	}
}

static void take_past_255_should_reset_both_maps_and_the_number(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	take_times(test, 254);
	KUNIT_EXPECT_EQ(test, map->number, 255);
	cbt_map_mark(map, 0, CAPACITY);
	expect_only(test, map->active, 0, 10, 255);

	cbt_map_take(map);
	KUNIT_EXPECT_EQ(test, map->number, 1);
	KUNIT_EXPECT_EQ(test, map->taken_number, 0);
	expect_empty(test, map->active);
	expect_empty(test, map->frozen);
}

static void take_past_255_should_begin_a_new_generation(struct kunit *test)
{
	uuid_t first = map_of(test)->generation;
	uuid_t second;

	take_times(test, 255);
	second = map_of(test)->generation;
	KUNIT_EXPECT_FALSE(test, uuid_equal(&first, &second));
	take_times(test, 255);
	KUNIT_EXPECT_FALSE(test, uuid_equal(&second, &map_of(test)->generation));
}

static void take_past_255_should_count_on_from_one(struct kunit *test)
{
	struct cbt_map *map = map_of(test);

	take_times(test, 255);
	cbt_map_mark(map, 3 * BLOCK, 1);
	cbt_map_take(map);
	KUNIT_EXPECT_EQ(test, map->taken_number, 1);
	expect_only(test, map->frozen, 3, 3, 1);
}

/* A map of some pages and 5 blocks, each with a byte of its own, and user memory. */
static struct cbt_map *readable(struct kunit *test, u8 __user **buf)
{
	u32 count = 3 * PAGE_SIZE + 5;
	struct cbt_map *map = make_map(test, (sector_t)count * BLOCK, count);
	unsigned long addr;
	u32 i;

	addr = kunit_vm_mmap(test, NULL, 0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE_MSG(test, addr, 0, "no user memory");
	KUNIT_ASSERT_LT_MSG(test, addr, TASK_SIZE, "no user memory");
	*buf = (u8 __user *)addr;
	for (i = 0; i < map->count; i++)
		map->frozen[i] = i % 251;
	return map;
}

static void read_should_give_the_frozen_map(struct kunit *test)
{
	u8 __user *buf;
	struct cbt_map *map = readable(test, &buf);
	u8 *copy = kunit_kzalloc(test, map->count, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_EXPECT_EQ(test, cbt_map_read(map, 0, map->count, buf), map->count);
	KUNIT_ASSERT_EQ(test, copy_from_user(copy, buf, map->count), 0);
	KUNIT_EXPECT_MEMEQ(test, copy, map->frozen, map->count);
	KUNIT_EXPECT_EQ(test, cbt_map_read(map, PAGE_SIZE - 3, 7, buf), 7);
	KUNIT_ASSERT_EQ(test, copy_from_user(copy, buf, 7), 0);
	KUNIT_EXPECT_MEMEQ(test, copy, map->frozen + PAGE_SIZE - 3, 7);
}

static void read_should_be_short_past_the_end(struct kunit *test)
{
	u8 __user *buf;
	struct cbt_map *map = readable(test, &buf);

	KUNIT_EXPECT_EQ(test, cbt_map_read(map, map->count - 5, 100, buf), 5);
	KUNIT_EXPECT_EQ(test, cbt_map_read(map, map->count - 1, U32_MAX, buf), 1);
}

static void read_should_be_empty_at_the_end(struct kunit *test)
{
	u8 __user *buf;
	struct cbt_map *map = readable(test, &buf);

	KUNIT_EXPECT_EQ(test, cbt_map_read(map, map->count, 1, buf), 0);
	KUNIT_EXPECT_EQ(test, cbt_map_read(map, U32_MAX, U32_MAX, buf), 0);
	KUNIT_EXPECT_EQ(test, cbt_map_read(map, 0, 0, buf), 0);
}

static void read_should_fail_at_bad_memory(struct kunit *test)
{
	u8 __user *buf;
	struct cbt_map *map = readable(test, &buf);

	KUNIT_EXPECT_EQ(test, cbt_map_read(map, 0, 8, NULL), -EFAULT);
}

static void info_should_set_every_byte(struct kunit *test)
{
	struct blksnap_cbtinfo info;
	size_t end = offsetofend(struct blksnap_cbtinfo, changes_number);

	memset(&info, 0xaa, sizeof(info));
	cbt_map_info(map_of(test), &info);
	KUNIT_EXPECT_NULL(test, memchr_inv((u8 *)&info + end, 0,
					   sizeof(info) - end));
}

static void info_should_describe_the_map(struct kunit *test)
{
	struct cbt_map *map = map_of(test);
	struct blksnap_cbtinfo info;

	take_times(test, 3);
	cbt_map_info(map, &info);
	KUNIT_EXPECT_EQ(test, info.device_capacity, CAPACITY * 512ULL);
	KUNIT_EXPECT_EQ(test, info.block_size, 65536);
	KUNIT_EXPECT_EQ(test, info.block_count, BLOCKS);
	KUNIT_EXPECT_EQ(test, info.changes_number, 3);
	KUNIT_EXPECT_MEMEQ(test, info.generation_id, map->generation.b, 16);
}

static int cbt_map_test_init(struct kunit *test)
{
	test->priv = make_map(test, CAPACITY, BLOCKS);
	return 0;
}

static struct kunit_case cbt_map_cases[] = {
	/* CBT-03 */
	KUNIT_CASE(create_should_start_empty),
	/* CBT-01 */
	KUNIT_CASE_PARAM(create_should_choose_the_size_of_blocks,
			 create_gen_params),
	KUNIT_CASE(create_should_refuse_what_cannot_be_counted),
	/* CBT-04 */
	KUNIT_CASE(create_should_begin_a_generation_of_its_own),
	/* CBT-02 */
	KUNIT_CASE_PARAM(mark_should_mark_the_touched_blocks_only,
			 mark_gen_params),
	KUNIT_CASE(mark_should_find_the_block_of_each_sector),
	KUNIT_CASE(mark_should_ignore_an_empty_range),
	/* CBT-04 */
	KUNIT_CASE(mark_should_leave_out_what_lies_beyond),
	/* CBT-05 */
	KUNIT_CASE(mark_should_leave_the_frozen_map_alone),
	/* CBT-03 */
	KUNIT_CASE(mark_should_store_the_current_number),
	KUNIT_CASE(mark_should_replace_an_older_mark),
	/* CBT-07 CBT-08 */
	KUNIT_CASE(mark_both_should_mark_both_maps),
	KUNIT_CASE(mark_both_should_be_found_by_who_reads_now),
	/* CBT-08 */
	KUNIT_CASE(mark_both_should_leave_out_what_lies_beyond),
	/* CBT-05 */
	KUNIT_CASE(take_should_freeze_the_marks),
	/* CBT-03 CBT-09 */
	KUNIT_CASE(take_should_go_on_marking_where_it_was),
	/* CBT-03 */
	KUNIT_CASE(take_should_raise_the_number_by_one),
	/* CBT-04 */
	KUNIT_CASE(take_should_keep_the_generation_up_to_255),
	/* CBT-03 CBT-09 */
	KUNIT_CASE(take_should_let_each_earlier_number_find_the_changes),
	/* CBT-04 */
	KUNIT_CASE(take_past_255_should_reset_both_maps_and_the_number),
	KUNIT_CASE(take_past_255_should_begin_a_new_generation),
	KUNIT_CASE(take_past_255_should_count_on_from_one),
	/* CBT-06 */
	KUNIT_CASE(read_should_give_the_frozen_map),
	KUNIT_CASE(read_should_be_short_past_the_end),
	KUNIT_CASE(read_should_be_empty_at_the_end),
	/* CBT-06 ABI-03 */
	KUNIT_CASE(read_should_fail_at_bad_memory),
	/* ABI-01 */
	KUNIT_CASE(info_should_set_every_byte),
	/* CBT-01 CBT-03 */
	KUNIT_CASE(info_should_describe_the_map),
	{}
};

static struct kunit_suite cbt_map_suite = {
	.name = "blksnap_cbt_map",
	.init = cbt_map_test_init,
	.test_cases = cbt_map_cases,
};

kunit_test_suite(cbt_map_suite);
