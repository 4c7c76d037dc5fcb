// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: module parameters, their defaults and limits.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "geometry.h"
#include "params.h"

/*
 * A block is at least a sector. A chunk is at least what a storage with large
 * sectors takes at once. Both are at most what a u32 of bytes can tell.
 */
#define TRACKING_BLOCK_SHIFT_MIN	9
#define CHUNK_SHIFT_MIN			12
#define SHIFT_MAX			26
/* A map is read through 32-bit offsets. */
#define COUNT_MAX			BIT(31)
/* Sectors; a kilobyte to a tebibyte. */
#define DIFF_STORAGE_MINIMUM_MIN	2U
#define DIFF_STORAGE_MINIMUM_MAX	BIT(31)

struct limited_param {
	unsigned int value;
	unsigned int min;
	unsigned int max;
};

static int limited_param_set(const char *val, const struct kernel_param *kp)
{
	struct limited_param *param = kp->arg;
	unsigned int value;
	int ret;

	ret = kstrtouint(val, 0, &value);
	if (ret) {
		pr_err("%s: not a number: '%s'\n", kp->name, val);
		return ret;
	}
	if (value < param->min || value > param->max) {
		pr_err("%s: %u is not within %u to %u\n", kp->name, value,
		       param->min, param->max);
		return -EINVAL;
	}
	WRITE_ONCE(param->value, value);
	return 0;
}

static int limited_param_get(char *buffer, const struct kernel_param *kp)
{
	struct limited_param *param = kp->arg;

	return sysfs_emit(buffer, "%u\n", READ_ONCE(param->value));
}

static const struct kernel_param_ops limited_param_ops = {
	.set = limited_param_set,
	.get = limited_param_get,
};

static struct limited_param tracking_block_minimum_shift = {
	.value = 16, .min = TRACKING_BLOCK_SHIFT_MIN, .max = SHIFT_MAX,
};
module_param_cb(tracking_block_minimum_shift, &limited_param_ops,
		&tracking_block_minimum_shift, 0644);
MODULE_PARM_DESC(tracking_block_minimum_shift,
		 "smallest size of a tracking block, log2 of bytes");

static struct limited_param tracking_block_maximum_count = {
	.value = 2097152, .min = 1, .max = COUNT_MAX,
};
module_param_cb(tracking_block_maximum_count, &limited_param_ops,
		&tracking_block_maximum_count, 0644);
MODULE_PARM_DESC(tracking_block_maximum_count,
		 "number of tracking blocks from which on they get larger");

static struct limited_param tracking_block_maximum_shift = {
	.value = 26, .min = TRACKING_BLOCK_SHIFT_MIN, .max = SHIFT_MAX,
};
module_param_cb(tracking_block_maximum_shift, &limited_param_ops,
		&tracking_block_maximum_shift, 0644);
MODULE_PARM_DESC(tracking_block_maximum_shift,
		 "largest size of a tracking block, log2 of bytes");

static struct limited_param chunk_minimum_shift = {
	.value = 18, .min = CHUNK_SHIFT_MIN, .max = SHIFT_MAX,
};
module_param_cb(chunk_minimum_shift, &limited_param_ops,
		&chunk_minimum_shift, 0644);
MODULE_PARM_DESC(chunk_minimum_shift,
		 "smallest size of a chunk, log2 of bytes");

static struct limited_param chunk_maximum_count = {
	.value = 2097152, .min = 1, .max = COUNT_MAX,
};
module_param_cb(chunk_maximum_count, &limited_param_ops,
		&chunk_maximum_count, 0644);
MODULE_PARM_DESC(chunk_maximum_count,
		 "number of chunks from which on they get larger");

static struct limited_param chunk_maximum_shift = {
	.value = 26, .min = CHUNK_SHIFT_MIN, .max = SHIFT_MAX,
};
module_param_cb(chunk_maximum_shift, &limited_param_ops,
		&chunk_maximum_shift, 0644);
MODULE_PARM_DESC(chunk_maximum_shift,
		 "largest size of a chunk, log2 of bytes");

static struct limited_param diff_storage_minimum = {
	.value = 2097152, .min = DIFF_STORAGE_MINIMUM_MIN, .max = DIFF_STORAGE_MINIMUM_MAX,
};
module_param_cb(diff_storage_minimum, &limited_param_ops,
		&diff_storage_minimum, 0644);
MODULE_PARM_DESC(diff_storage_minimum,
		 "sectors by which the difference storage grows");

void blksnap_tracking_granularity(struct blksnap_granularity *granularity)
{
	granularity->shift_min = READ_ONCE(tracking_block_minimum_shift.value);
	granularity->count_max = READ_ONCE(tracking_block_maximum_count.value);
	granularity->shift_max = READ_ONCE(tracking_block_maximum_shift.value);
}

void blksnap_chunk_granularity(struct blksnap_granularity *granularity)
{
	granularity->shift_min = READ_ONCE(chunk_minimum_shift.value);
	granularity->count_max = READ_ONCE(chunk_maximum_count.value);
	granularity->shift_max = READ_ONCE(chunk_maximum_shift.value);
}

sector_t blksnap_diff_storage_minimum(void)
{
	return READ_ONCE(diff_storage_minimum.value);
}
