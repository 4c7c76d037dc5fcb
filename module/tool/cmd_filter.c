// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: attach and detach.
 */
#include <getopt.h>
#include <linux/blk-filter.h>
#include <linux/blksnap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include "tool.h"

static const struct option name_option[] = {
	{ "name", required_argument, NULL, 'n' },
	{ }
};

static int filter_call(int argc, char **argv, unsigned long request,
		       const char *call)
{
	const char *filter = BLKSNAP_FILTER;
	struct blkfilter_name name = { };
	const char *device;
	int option;
	int fd;

	while ((option = next_option(argc, argv, name_option)) != -1) {
		if (option != 'n')
			return EXIT_USAGE;
		filter = optarg;
	}
	if (words_only(argc, argv, 1, 1))
		return EXIT_USAGE;
	if (strlen(filter) >= sizeof(name.name))
		return usage("%s is too long for a filter's name", filter);
	memcpy(name.name, filter, strlen(filter));

	device = argv[optind];
	fd = open_device(device);
	if (fd < 0)
		return EXIT_FAILED;
	if (ioctl(fd, request, &name))
		return fail(call, device);

	fputs("{\"device\":", stdout);
	json_string(device);
	fputs(",\"filter\":", stdout);
	json_string(filter);
	puts("}");
	return 0;
}

int cmd_attach(int argc, char **argv)
{
	return filter_call(argc, argv, BLKFILTER_ATTACH, "BLKFILTER_ATTACH");
}

int cmd_detach(int argc, char **argv)
{
	return filter_call(argc, argv, BLKFILTER_DETACH, "BLKFILTER_DETACH");
}
