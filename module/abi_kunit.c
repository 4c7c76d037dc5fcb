// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tests of the wire format, number by number.
 */
#include <kunit/test.h>
#include <uapi/linux/blk-filter.h>
#include <uapi/linux/blksnap.h>

struct number_param {
	const char *name;
	u64 value;
	u64 expected;
};

#define SIZE(type, size)	{ #type, sizeof(struct type), size }
#define FIELD(type, field, offset)					\
	{ #type "." #field, offsetof(struct type, field), offset }
#define NUMBER(name, number)	{ #name, name, number }

static const struct number_param size_params[] = {
	SIZE(blkfilter_name, 32),
	SIZE(blkfilter_ctl, 48),
	SIZE(blksnap_cbtinfo, 40),
	SIZE(blksnap_cbtmap, 16),
	SIZE(blksnap_cbtdirty, 16),
	SIZE(blksnap_sectors, 16),
	SIZE(blksnap_snapshotadd, 16),
	SIZE(blksnap_snapshotinfo, 36),
	SIZE(blksnap_version, 8),
	SIZE(blksnap_snapshot_create, 32),
	SIZE(blksnap_uuid, 16),
	SIZE(blksnap_snapshot_collect, 16),
	SIZE(blksnap_snapshot_event, 4096),
	SIZE(blksnap_event_corrupted, 12),
};

KUNIT_ARRAY_PARAM_DESC(size, size_params, name);

static const struct number_param field_params[] = {
	FIELD(blkfilter_ctl, cmd, 32),
	FIELD(blkfilter_ctl, optlen, 36),
	FIELD(blkfilter_ctl, opt, 40),
	FIELD(blksnap_cbtinfo, device_capacity, 0),
	FIELD(blksnap_cbtinfo, block_size, 8),
	FIELD(blksnap_cbtinfo, block_count, 12),
	FIELD(blksnap_cbtinfo, generation_id, 16),
	FIELD(blksnap_cbtinfo, changes_number, 32),
	FIELD(blksnap_cbtmap, offset, 0),
	FIELD(blksnap_cbtmap, length, 4),
	FIELD(blksnap_cbtmap, buffer, 8),
	FIELD(blksnap_cbtdirty, count, 0),
	FIELD(blksnap_cbtdirty, dirty_sectors, 8),
	FIELD(blksnap_sectors, offset, 0),
	FIELD(blksnap_sectors, count, 8),
	FIELD(blksnap_snapshotinfo, error_code, 0),
	FIELD(blksnap_snapshotinfo, image, 4),
	FIELD(blksnap_snapshot_create, diff_storage_limit_sect, 0),
	FIELD(blksnap_snapshot_create, diff_storage_fd, 8),
	FIELD(blksnap_snapshot_create, id, 12),
	FIELD(blksnap_snapshot_collect, count, 0),
	FIELD(blksnap_snapshot_collect, ids, 8),
	FIELD(blksnap_snapshot_event, id, 0),
	FIELD(blksnap_snapshot_event, timeout_ms, 16),
	FIELD(blksnap_snapshot_event, code, 20),
	FIELD(blksnap_snapshot_event, time_label, 24),
	FIELD(blksnap_snapshot_event, data, 32),
	FIELD(blksnap_event_corrupted, dev_id_mj, 0),
	FIELD(blksnap_event_corrupted, dev_id_mn, 4),
	FIELD(blksnap_event_corrupted, err_code, 8),
};

KUNIT_ARRAY_PARAM_DESC(field, field_params, name);

static const struct number_param command_params[] = {
	NUMBER(BLKFILTER_ATTACH, 0xC020128C),
	NUMBER(BLKFILTER_DETACH, 0xC020128D),
	NUMBER(BLKFILTER_CTL, 0xC030128E),
	NUMBER(blkfilter_ctl_blksnap_cbtinfo, 0),
	NUMBER(blkfilter_ctl_blksnap_cbtmap, 1),
	NUMBER(blkfilter_ctl_blksnap_cbtdirty, 2),
	NUMBER(blkfilter_ctl_blksnap_snapshotadd, 3),
	NUMBER(blkfilter_ctl_blksnap_snapshotinfo, 4),
	NUMBER(IOCTL_BLKSNAP_VERSION, 0x80085600),
	NUMBER(IOCTL_BLKSNAP_SNAPSHOT_CREATE, 0xC0205601),
	NUMBER(IOCTL_BLKSNAP_SNAPSHOT_DESTROY, 0x40105602),
	NUMBER(IOCTL_BLKSNAP_SNAPSHOT_TAKE, 0x40105603),
	NUMBER(IOCTL_BLKSNAP_SNAPSHOT_COLLECT, 0x80105604),
	NUMBER(IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT, 0x90005605),
	NUMBER(blksnap_event_code_corrupted, 0),
};

KUNIT_ARRAY_PARAM_DESC(command, command_params, name);

static void expect_number(struct kunit *test)
{
	const struct number_param *param = test->param_value;

	KUNIT_EXPECT_EQ_MSG(test, param->value, param->expected, "%s", param->name);
}

static void structures_should_be_as_long_as_programs_expect(struct kunit *test)
{
	expect_number(test);
}

static void fields_should_lie_where_programs_expect(struct kunit *test)
{
	expect_number(test);
}

static void commands_should_have_the_numbers_programs_expect(struct kunit *test)
{
	expect_number(test);
}

static struct kunit_case abi_cases[] = {
	/* ABI-01 */
	KUNIT_CASE_PARAM(structures_should_be_as_long_as_programs_expect,
			 size_gen_params),
	KUNIT_CASE_PARAM(fields_should_lie_where_programs_expect,
			 field_gen_params),
	KUNIT_CASE_PARAM(commands_should_have_the_numbers_programs_expect,
			 command_gen_params),
	{}
};

static struct kunit_suite abi_suite = {
	.name = "blksnap_abi",
	.test_cases = abi_cases,
};

kunit_test_suite(abi_suite);
