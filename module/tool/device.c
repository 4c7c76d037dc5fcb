// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: devices and the filter on them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/blk-filter.h>
#include "tool.h"

/*
 * O_NONBLOCK because a device whose medium is gone, or that is held
 * exclusively, can still be asked and detached.
 */
int open_device(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		exit(call_failed("open", path));
	return fd;
}

int open_control(void)
{
	int fd = open(BLKSNAP_CTL_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		exit(call_failed("open", BLKSNAP_CTL_PATH));
	return fd;
}

int filter_ctl(int fd, enum blkfilter_ctl_blksnap cmd, void *arg, size_t size)
{
	struct blkfilter_ctl ctl = {
		.name = BLKSNAP_FILTER,
		.cmd = cmd,
		.optlen = size,
		.opt = (uintptr_t)arg,
	};

	return ioctl(fd, BLKFILTER_CTL, &ctl);
}

/* The device and the name that attach and detach are given. */
static int open_named(struct args *args, struct blkfilter_name *arg)
{
	const char *name = BLKSNAP_FILTER;
	const struct option options[] = {
		{ "name", &name, NULL },
		{ NULL, NULL, NULL },
	};

	take_options(args, options, 1, 1);
	if (strlen(name) >= sizeof(arg->name))
		usage_error("a filter's name has at most %zu characters",
			    sizeof(arg->name) - 1);
	memset(arg, 0, sizeof(*arg));
	memcpy(arg->name, name, strlen(name));
	return open_device(args->values[0]);
}

static int print_named(const char *device, const struct blkfilter_name *arg)
{
	printf("{\"device\":");
	print_json_string(device);
	printf(",\"filter\":");
	print_json_string((const char *)arg->name);
	printf("}\n");
	return EXIT_DONE;
}

static int run_attach(struct args *args)
{
	struct blkfilter_name arg;
	int fd = open_named(args, &arg);

	if (ioctl(fd, BLKFILTER_ATTACH, &arg))
		return call_failed("BLKFILTER_ATTACH", args->values[0]);
	return print_named(args->values[0], &arg);
}

static int run_detach(struct args *args)
{
	struct blkfilter_name arg;
	int fd = open_named(args, &arg);

	if (ioctl(fd, BLKFILTER_DETACH, &arg))
		return call_failed("BLKFILTER_DETACH", args->values[0]);
	return print_named(args->values[0], &arg);
}

static int run_version(struct args *args)
{
	const struct option options[] = { { NULL, NULL, NULL } };
	struct blksnap_version version;

	take_options(args, options, 0, 0);
	if (ioctl(open_control(), IOCTL_BLKSNAP_VERSION, &version))
		return call_failed("IOCTL_BLKSNAP_VERSION", NULL);
	printf("{\"major\":%u,\"minor\":%u,\"revision\":%u,\"build\":%u}\n",
	       version.major, version.minor, version.revision, version.build);
	return EXIT_DONE;
}

const struct command filter_commands[] = {
	{ "version", "",
	  "Version of the module.", run_version },
	{ "attach", "DEV [--name FILTER]",
	  "Attach the filter to a device: change tracking starts.\n"
	  "FILTER is blksnap unless given. EALREADY: it is there already.",
	  run_attach },
	{ "detach", "DEV [--name FILTER]",
	  "Detach the filter: change tracking ends, its map is lost.",
	  run_detach },
	{ NULL, NULL, NULL, NULL },
};
