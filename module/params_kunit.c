// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tests of the module parameters.
 */
#include "params.c"

#include <kunit/test.h>

static struct kernel_param limited_kernel_param(struct limited_param *param)
{
	return (struct kernel_param) { .name = "tested", .arg = param };
}

static int set(struct limited_param *param, const char *text)
{
	const struct kernel_param kp = limited_kernel_param(param);

	return limited_param_set(text, &kp);
}

static const struct taken_param {
	const char *text;
	unsigned int value;
} taken_params[] = {
	{ "10", 10 }, { "26", 26 }, { "17\n", 17 }, { "0x12", 18 }, { "+20", 20 },
};

KUNIT_ARRAY_PARAM_DESC(taken, taken_params, text);

static void param_set_should_take_what_is_within_the_limits(struct kunit *test)
{
	const struct taken_param *taken = test->param_value;
	struct limited_param param = { .value = 16, .min = 10, .max = 26 };

	KUNIT_EXPECT_EQ(test, set(&param, taken->text), 0);
	KUNIT_EXPECT_EQ(test, param.value, taken->value);
}

static const struct refused_param {
	const char *text;
	int error;
} refused_params[] = {
	{ "9", -EINVAL }, { "27", -EINVAL }, { "0", -EINVAL },
	{ "4294967295", -EINVAL }, { "4294967312", -ERANGE },
	{ "-16", -EINVAL }, { "", -EINVAL }, { "many", -EINVAL },
	{ "16 17", -EINVAL }, { "16k", -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(refused, refused_params, text);

static void param_set_should_refuse_the_rest_and_keep_the_value(struct kunit *test)
{
	const struct refused_param *refused = test->param_value;
	struct limited_param param = { .value = 16, .min = 10, .max = 26 };

	KUNIT_EXPECT_EQ(test, set(&param, refused->text), refused->error);
	KUNIT_EXPECT_EQ(test, param.value, 16);
}

static void param_get_should_print_the_value_on_a_line(struct kunit *test)
{
	struct limited_param param = { .value = 4294967295U };
	const struct kernel_param kp = limited_kernel_param(&param);
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, limited_param_get(page, &kp), 11);
	KUNIT_EXPECT_STREQ(test, page, "4294967295\n");
}

static const struct known_param {
	const char *name;
	struct limited_param *param;
	unsigned int standard;
} known_params[] = {
	{ "tracking_block_minimum_shift", &tracking_block_minimum_shift, 16 },
	{ "tracking_block_maximum_count", &tracking_block_maximum_count, 2097152 },
	{ "tracking_block_maximum_shift", &tracking_block_maximum_shift, 26 },
	{ "chunk_minimum_shift", &chunk_minimum_shift, 18 },
	{ "chunk_maximum_count", &chunk_maximum_count, 2097152 },
	{ "chunk_maximum_shift", &chunk_maximum_shift, 26 },
	{ "diff_storage_minimum", &diff_storage_minimum, 2097152 },
};

KUNIT_ARRAY_PARAM_DESC(known, known_params, name);

static void param_should_start_with_its_default(struct kunit *test)
{
	const struct known_param *known = test->param_value;

	KUNIT_EXPECT_EQ(test, known->param->value, known->standard);
}

static void param_limits_should_exclude_what_code_cannot_bear(struct kunit *test)
{
	const struct known_param *known = test->param_value;
	const struct limited_param *param = known->param;

	KUNIT_EXPECT_LE(test, param->min, param->value);
	KUNIT_EXPECT_GE(test, param->max, param->value);
	KUNIT_EXPECT_GT(test, param->min, 0);
	if (strstr(known->name, "shift")) {
		/* A unit is at least a sector, and its bytes fit into 32 bits. */
		KUNIT_EXPECT_GE(test, param->min, SECTOR_SHIFT);
		KUNIT_EXPECT_LT(test, param->max, 32);
	}
}

static void tracking_granularity_should_be_of_tracking(struct kunit *test)
{
	struct blksnap_granularity granularity;

	blksnap_tracking_granularity(&granularity);
	KUNIT_EXPECT_EQ(test, granularity.shift_min, 16);
	KUNIT_EXPECT_EQ(test, granularity.count_max, 2097152);
	KUNIT_EXPECT_EQ(test, granularity.shift_max, 26);
}

static void chunk_granularity_should_be_of_chunks(struct kunit *test)
{
	struct blksnap_granularity granularity;

	blksnap_chunk_granularity(&granularity);
	KUNIT_EXPECT_EQ(test, granularity.shift_min, 18);
	KUNIT_EXPECT_EQ(test, granularity.count_max, 2097152);
	KUNIT_EXPECT_EQ(test, granularity.shift_max, 26);
}

static struct kunit_case params_cases[] = {
	/* CBT-01 COW-02 */
	KUNIT_CASE_PARAM(param_set_should_take_what_is_within_the_limits,
			 taken_gen_params),
	KUNIT_CASE_PARAM(param_set_should_refuse_the_rest_and_keep_the_value,
			 refused_gen_params),
	KUNIT_CASE(param_get_should_print_the_value_on_a_line),
	/* CBT-01 COW-02 DIF-02 */
	KUNIT_CASE_PARAM(param_should_start_with_its_default, known_gen_params),
	KUNIT_CASE_PARAM(param_limits_should_exclude_what_code_cannot_bear,
			 known_gen_params),
	/* CBT-01 */
	KUNIT_CASE(tracking_granularity_should_be_of_tracking),
	/* COW-02 */
	KUNIT_CASE(chunk_granularity_should_be_of_chunks),
	{}
};

static struct kunit_suite params_suite = {
	.name = "blksnap_params",
	.test_cases = params_cases,
};

kunit_test_suite(params_suite);
