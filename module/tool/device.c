// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: the two doors to the module, see linux/blksnap.h.
 */
#include <fcntl.h>
#include <linux/blk-filter.h>
#include <linux/blksnap.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include "tool.h"

/*
 * O_NONBLOCK because a device whose medium is gone can still be asked and
 * detached.
 */
int open_device(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		fail("open", path);
	return fd;
}

int open_control(void)
{
	return open_device(BLKSNAP_CTL_PATH);
}

int blksnap_ctl(int fd, __u32 cmd, void *argument, __u32 size)
{
	struct blkfilter_ctl ctl = {
		.name = BLKSNAP_FILTER,
		.cmd = cmd,
		.optlen = size,
		.opt = (uintptr_t)argument,
	};

	return ioctl(fd, BLKFILTER_CTL, &ctl);
}
