// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: commands about snapshots.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <linux/fs.h>
#include "tool.h"

#define SECTOR_SHIFT	9

/* Options of a command that has none. */
static const struct option no_options[] = { { NULL, NULL, NULL } };

static int print_id(const __u8 *id)
{
	char text[UUID_TEXT_SIZE];

	format_uuid(id, text);
	printf("{\"id\":\"%s\"}\n", text);
	return EXIT_DONE;
}

/*
 * The difference storage: an unnamed file in a directory, a block device, a
 * file that is there, or a new one, which @is_new tells.
 */
static int open_storage(const char *path, bool *is_new)
{
	struct stat st;
	int fd;

	*is_new = false;
	if (stat(path, &st)) {
		if (errno != ENOENT)
			exit(call_failed("stat", path));
		*is_new = true;
		fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	} else if (S_ISDIR(st.st_mode)) {
		fd = open(path, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	} else {
		fd = open(path, O_EXCL | O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		exit(call_failed("open", path));
	return fd;
}

/* All that the storage could take: a device's size, or what is free. */
static __u64 storage_bytes(int fd, const char *path)
{
	struct statvfs vfs;
	struct stat st;
	__u64 bytes;

	if (fstat(fd, &st))
		exit(call_failed("fstat", path));
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, &bytes))
			exit(call_failed("BLKGETSIZE64", path));
		return bytes;
	}
	if (fstatvfs(fd, &vfs))
		exit(call_failed("fstatvfs", path));
	return (__u64)vfs.f_bavail * vfs.f_frsize +
	       ((__u64)st.st_blocks << SECTOR_SHIFT);
}

static int run_create(struct args *args)
{
	const char *storage = NULL, *limit = NULL;
	const struct option options[] = {
		{ "storage", &storage, NULL },
		{ "limit", &limit, NULL },
		{ NULL, NULL, NULL },
	};
	struct blksnap_snapshot_create arg = { 0 };
	__u64 bytes = 0;
	bool is_new;
	int control, fd;

	take_options(args, options, 0, 0);
	if (!storage)
		usage_error("--storage is missing");
	if (limit)
		bytes = parse_size("--limit", limit);
	control = open_control();
	fd = open_storage(storage, &is_new);
	if (!limit)
		bytes = storage_bytes(fd, storage);
	arg.diff_storage_limit_sect = bytes >> SECTOR_SHIFT;
	arg.diff_storage_fd = fd;
	if (ioctl(control, IOCTL_BLKSNAP_SNAPSHOT_CREATE, &arg)) {
		call_failed("IOCTL_BLKSNAP_SNAPSHOT_CREATE", storage);
		if (is_new)
			unlink(storage);
		return EXIT_FAILED;
	}
	return print_id(arg.id);
}

static int run_add(struct args *args)
{
	struct blksnap_snapshotadd arg;
	int fd;

	take_options(args, no_options, 2, 2);
	parse_uuid(args->values[0], arg.id);
	fd = open_device(args->values[1]);
	if (filter_ctl(fd, blkfilter_ctl_blksnap_snapshotadd, &arg,
		       sizeof(arg)) < 0)
		return call_failed("snapshotadd", args->values[1]);
	return print_id(arg.id);
}

static int run_with_id(struct args *args, unsigned long cmd, const char *call)
{
	struct blksnap_uuid id;

	take_options(args, no_options, 1, 1);
	parse_uuid(args->values[0], id.b);
	if (ioctl(open_control(), cmd, &id))
		return call_failed(call, args->values[0]);
	return print_id(id.b);
}

static int run_take(struct args *args)
{
	return run_with_id(args, IOCTL_BLKSNAP_SNAPSHOT_TAKE,
			   "IOCTL_BLKSNAP_SNAPSHOT_TAKE");
}

static int run_destroy(struct args *args)
{
	return run_with_id(args, IOCTL_BLKSNAP_SNAPSHOT_DESTROY,
			   "IOCTL_BLKSNAP_SNAPSHOT_DESTROY");
}

/* Others may create snapshots while we ask, so ask until the room suffices. */
static int run_collect(struct args *args)
{
	struct blksnap_snapshot_collect arg = { 0 };
	struct blksnap_uuid *ids = NULL;
	unsigned int i;
	int control;

	take_options(args, no_options, 0, 0);
	control = open_control();
	while (ioctl(control, IOCTL_BLKSNAP_SNAPSHOT_COLLECT, &arg)) {
		if (errno != ENODATA)
			return call_failed("IOCTL_BLKSNAP_SNAPSHOT_COLLECT",
					   NULL);
		ids = realloc(ids, arg.count * sizeof(*ids));
		if (!ids)
			return call_failed("realloc", NULL);
		arg.ids = (uintptr_t)ids;
	}
	for (i = 0; i < arg.count; i++)
		print_id(ids[i].b);
	free(ids);
	return EXIT_DONE;
}

static void print_errno(int number)
{
	const char *name = strerrorname_np(number);

	printf("\"errno\":%d,\"error\":", number);
	if (number && name)
		printf("\"%s\"", name);
	else
		printf(number ? "\"unknown\"" : "null");
}

static int run_info(struct args *args)
{
	struct blksnap_snapshotinfo info;
	char image[5 + BLKSNAP_IMAGE_NAME_SIZE + 1];
	int fd;

	take_options(args, no_options, 1, 1);
	fd = open_device(args->values[0]);
	if (filter_ctl(fd, blkfilter_ctl_blksnap_snapshotinfo, &info,
		       sizeof(info)) < 0)
		return call_failed("snapshotinfo", args->values[0]);
	printf("{");
	print_errno(-info.error_code);
	printf(",\"image\":");
	if (info.image[0]) {
		snprintf(image, sizeof(image), "/dev/%.*s",
			 BLKSNAP_IMAGE_NAME_SIZE, (const char *)info.image);
		print_json_string(image);
	} else {
		printf("null");
	}
	printf("}\n");
	return EXIT_DONE;
}

static void interrupted(int signo)
{
	(void)signo;
}

static int run_wait(struct args *args)
{
	struct sigaction action = { .sa_handler = interrupted };
	struct blksnap_snapshot_event event = { 0 };
	struct blksnap_event_corrupted corrupted;
	const char *timeout = "0";
	const struct option options[] = {
		{ "timeout", &timeout, NULL },
		{ NULL, NULL, NULL },
	};

	take_options(args, options, 1, 1);
	parse_uuid(args->values[0], event.id);
	event.timeout_ms = parse_number("--timeout", timeout, UINT32_MAX);
	/* A signal ends the wait with EINTR, not this program. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (ioctl(open_control(), IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT, &event))
		return call_failed("IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT",
				   args->values[0]);
	printf("{\"code\":%u,\"time\":%lld", event.code,
	       (long long)event.time_label);
	if (event.code == blksnap_event_code_corrupted) {
		memcpy(&corrupted, event.data, sizeof(corrupted));
		printf(",\"event\":\"corrupted\",\"major\":%u,\"minor\":%u,",
		       corrupted.dev_id_mj, corrupted.dev_id_mn);
		print_errno(-corrupted.err_code);
	}
	printf("}\n");
	return EXIT_DONE;
}

const struct command snapshot_commands[] = {
	{ "snapshot create", "--storage PATH [--limit SIZE]",
	  "Make a snapshot, still without devices, and print its id.\n"
	  "PATH is where overwritten data goes: a directory (an unnamed file in\n"
	  "it), a file (made if it is not there), or a block device. SIZE is\n"
	  "the most that it may take, such as 512M; default: all there is.",
	  run_create },
	{ "snapshot add", "ID DEV",
	  "Put a device with the filter into the snapshot.", run_add },
	{ "snapshot take", "ID",
	  "Freeze the state of all devices of the snapshot at one instant.",
	  run_take },
	{ "snapshot destroy", "ID",
	  "End the snapshot: images go, the storage gives its space back.",
	  run_destroy },
	{ "snapshot collect", "",
	  "Print the ids of all snapshots.", run_collect },
	{ "snapshot info", "DEV",
	  "Print the device's image and the error that has corrupted it.",
	  run_info },
	{ "snapshot wait", "ID [--timeout MS]",
	  "Wait for an event and print it. ENOENT: none came in time.\n"
	  "ESRCH: the snapshot is gone. EINTR: SIGINT or SIGTERM came.",
	  run_wait },
	{ NULL, NULL, NULL, NULL },
};
