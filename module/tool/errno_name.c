// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: symbolic names of errno values.
 */
#define _GNU_SOURCE
#include <string.h>
#include "tool.h"

/* A kernel-internal value that ioctl() of some drivers lets out. */
#define KERNEL_ENOTSUPP	524

const char *errno_name(int number)
{
	if (number == KERNEL_ENOTSUPP)
		return "ENOTSUPP";
	return number > 0 ? strerrorname_np(number) : NULL;
}
