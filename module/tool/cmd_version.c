// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: version of the module.
 */
#include <linux/blksnap.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include "tool.h"

int cmd_version(int argc, char **argv)
{
	struct blksnap_version version = { };
	int control;

	if (words_only(argc, argv, 0, 0))
		return EXIT_USAGE;
	control = open_control();
	if (control < 0)
		return EXIT_FAILED;
	if (ioctl(control, IOCTL_BLKSNAP_VERSION, &version))
		return fail("IOCTL_BLKSNAP_VERSION", NULL);
	printf("{\"major\":%u,\"minor\":%u,\"revision\":%u,\"build\":%u}\n",
	       version.major, version.minor, version.revision, version.build);
	return 0;
}
