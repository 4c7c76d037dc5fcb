// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suites that go wrong on purpose, for the tests of the rig.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/module.h>

static void first_should_pass(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 2, 2);
}

static bool warns_in_exit;

static void middle_makes_exit_warn(struct kunit *test)
{
	warns_in_exit = true;
}

static void last_should_pass(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 3, 3);
}

static void middle_should_crash(struct kunit *test)
{
	WRITE_ONCE(*(int *)8, 0);
}

static void middle_should_hang(struct kunit *test)
{
	DECLARE_COMPLETION_ONSTACK(never);

	wait_for_completion(&never);
}

static void middle_should_warn(struct kunit *test)
{
	WARN_ON(test->name);
}

static void middle_should_fail(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 2 + 2, 5);
}

static void middle_should_be_skipped(struct kunit *test)
{
	kunit_skip(test, "on purpose");
}

static const int numbers[] = { 1, 2, 3 };

static void number_name(const int *number, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "number %d", *number);
}

KUNIT_ARRAY_PARAM(number, numbers, number_name);

static void middle_should_fail_for_two(struct kunit *test)
{
	KUNIT_EXPECT_NE(test, *(const int *)test->param_value, 2);
}

static void middle_should_crash_for_two(struct kunit *test)
{
	if (*(const int *)test->param_value == 2)
		middle_should_crash(test);
}

static struct kunit_case crash_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE(middle_should_crash),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite crash_suite = {
	.name = "wrong_crash",
	.test_cases = crash_cases,
};

static struct kunit_case hang_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE(middle_should_hang),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite hang_suite = {
	.name = "wrong_hang",
	.test_cases = hang_cases,
};

static struct kunit_case warn_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE(middle_should_warn),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite warn_suite = {
	.name = "wrong_warn",
	.test_cases = warn_cases,
};

static struct kunit_case fail_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE(middle_should_fail),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite fail_suite = {
	.name = "wrong_fail",
	.test_cases = fail_cases,
};

static struct kunit_case exit_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE(middle_makes_exit_warn),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite exit_suite = {
	.name = "wrong_exit",
	.test_cases = exit_cases,
};

static struct kunit_case skip_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE(middle_should_be_skipped),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite skip_suite = {
	.name = "wrong_skip",
	.test_cases = skip_cases,
};

static struct kunit_case fail_for_two_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE_PARAM(middle_should_fail_for_two, number_gen_params),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite fail_for_two_suite = {
	.name = "wrong_fail_for_two",
	.test_cases = fail_for_two_cases,
};

static struct kunit_case crash_for_two_cases[] = {
	KUNIT_CASE(first_should_pass),
	KUNIT_CASE_PARAM(middle_should_crash_for_two, number_gen_params),
	KUNIT_CASE(last_should_pass),
	{}
};

static struct kunit_suite crash_for_two_suite = {
	.name = "wrong_crash_for_two",
	.test_cases = crash_for_two_cases,
};

kunit_test_suites(&crash_suite, &hang_suite, &warn_suite, &fail_suite,
		  &skip_suite, &fail_for_two_suite, &crash_for_two_suite,
		  &exit_suite);

static void __exit wrong_exit(void)
{
	WARN_ON(warns_in_exit);
}
module_exit(wrong_exit);

MODULE_DESCRIPTION("KUnit suites that go wrong");
MODULE_LICENSE("GPL");
