// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: snapshots, from create to destroy.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/blksnap.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "storage.h"
#include "tool.h"

#define DEFAULT_TIMEOUT_MS	1000

static const struct option create_options[] = {
	{ "storage", required_argument, NULL, 's' },
	{ "limit", required_argument, NULL, 'l' },
	{ }
};

static const struct option wait_options[] = {
	{ "timeout", required_argument, NULL, 't' },
	{ }
};

static void print_id(const __u8 *id)
{
	char text[UUID_TEXT_SIZE];

	format_uuid(id, text);
	printf("{\"id\":\"%s\"}\n", text);
}

static int take_id(const char *text, __u8 *id)
{
	return parse_uuid(text, id) ? 0 : usage("%s is no UUID", text);
}

int cmd_snapshot_create(int argc, char **argv)
{
	struct blksnap_snapshot_create create = { };
	const char *path = NULL;
	const char *limit = NULL;
	struct storage storage;
	__u64 limit_bytes;
	int option;
	int control;

	while ((option = next_option(argc, argv, create_options)) != -1) {
		if (option == 's')
			path = optarg;
		else if (option == 'l')
			limit = optarg;
		else
			return EXIT_USAGE;
	}
	if (words_only(argc, argv, 0, 0))
		return EXIT_USAGE;
	if (!path)
		return usage("--storage PATH is missing");
	if (limit && !parse_size(limit, &limit_bytes))
		return usage("%s is no size", limit);

	control = open_control();
	if (control < 0 || storage_open(path, &storage))
		return EXIT_FAILED;
	if (!limit)
		limit_bytes = storage.capacity;
	create.diff_storage_limit_sect = limit_bytes >> SECTOR_SHIFT;
	create.diff_storage_fd = storage.fd;
	if (ioctl(control, IOCTL_BLKSNAP_SNAPSHOT_CREATE, &create)) {
		fail("IOCTL_BLKSNAP_SNAPSHOT_CREATE", path);
		storage_discard(&storage);
		return EXIT_FAILED;
	}
	print_id(create.id);
	return 0;
}

int cmd_snapshot_add(int argc, char **argv)
{
	struct blksnap_snapshotadd add = { };
	int fd;

	if (words_only(argc, argv, 2, 2) || take_id(argv[optind], add.id))
		return EXIT_USAGE;
	fd = open_device(argv[optind + 1]);
	if (fd < 0)
		return EXIT_FAILED;
	if (blksnap_ctl(fd, blkfilter_ctl_blksnap_snapshotadd, &add,
			sizeof(add)) < 0)
		return fail("blkfilter_ctl_blksnap_snapshotadd",
			    argv[optind + 1]);
	print_id(add.id);
	return 0;
}

/* The two commands that are a UUID and nothing else. */
static int id_call(int argc, char **argv, unsigned long request,
		   const char *call)
{
	struct blksnap_uuid id = { };
	int control;

	if (words_only(argc, argv, 1, 1) || take_id(argv[optind], id.b))
		return EXIT_USAGE;
	control = open_control();
	if (control < 0)
		return EXIT_FAILED;
	if (ioctl(control, request, &id))
		return fail(call, argv[optind]);
	print_id(id.b);
	return 0;
}

int cmd_snapshot_take(int argc, char **argv)
{
	return id_call(argc, argv, IOCTL_BLKSNAP_SNAPSHOT_TAKE,
		       "IOCTL_BLKSNAP_SNAPSHOT_TAKE");
}

int cmd_snapshot_destroy(int argc, char **argv)
{
	return id_call(argc, argv, IOCTL_BLKSNAP_SNAPSHOT_DESTROY,
		       "IOCTL_BLKSNAP_SNAPSHOT_DESTROY");
}

int cmd_snapshot_collect(int argc, char **argv)
{
	struct blksnap_snapshot_collect collect = { };
	struct blksnap_uuid *ids = NULL;
	__u32 room = 0;
	int control;

	if (words_only(argc, argv, 0, 0))
		return EXIT_USAGE;
	control = open_control();
	if (control < 0)
		return EXIT_FAILED;
	/* Room for none asks for the number, which may grow before we return. */
	for (;;) {
		int ret;

		collect.count = room;
		collect.ids = (uintptr_t)ids;
		ret = ioctl(control, IOCTL_BLKSNAP_SNAPSHOT_COLLECT, &collect);
		if (ret && errno != ENODATA)
			return fail("IOCTL_BLKSNAP_SNAPSHOT_COLLECT", NULL);
		if (collect.count <= room) {
			if (!ret)
				break;
			return fail("IOCTL_BLKSNAP_SNAPSHOT_COLLECT", NULL);
		}
		room = collect.count;
		free(ids);
		ids = calloc(room, sizeof(*ids));
		if (!ids)
			return fail("calloc", NULL);
	}
	for (__u32 i = 0; i < collect.count; i++)
		print_id(ids[i].b);
	free(ids);
	return 0;
}

int cmd_snapshot_info(int argc, char **argv)
{
	struct blksnap_snapshotinfo info = { };
	char image[BLKSNAP_IMAGE_NAME_SIZE + 1] = { };
	int fd;

	if (words_only(argc, argv, 1, 1))
		return EXIT_USAGE;
	fd = open_device(argv[optind]);
	if (fd < 0)
		return EXIT_FAILED;
	if (blksnap_ctl(fd, blkfilter_ctl_blksnap_snapshotinfo, &info,
			sizeof(info)) < 0)
		return fail("blkfilter_ctl_blksnap_snapshotinfo", argv[optind]);

	memcpy(image, info.image, sizeof(info.image));
	printf("{\"error\":%d,\"error_name\":", info.error_code);
	json_string(errno_name(-info.error_code));
	fputs(",\"image\":", stdout);
	json_string(image[0] ? image : NULL);
	puts("}");
	return 0;
}

static void print_event(const struct blksnap_snapshot_event *event)
{
	struct blksnap_event_corrupted corrupted;

	printf("{\"code\":%u,\"event\":", event->code);
	if (event->code != blksnap_event_code_corrupted) {
		printf("null,\"time_ns\":%lld}\n", event->time_label);
		return;
	}
	memcpy(&corrupted, event->data, sizeof(corrupted));
	printf("\"corrupted\",\"time_ns\":%lld", event->time_label);
	printf(",\"major\":%u,\"minor\":%u", corrupted.dev_id_mj,
	       corrupted.dev_id_mn);
	printf(",\"error\":%d,\"error_name\":", corrupted.err_code);
	json_string(errno_name(-corrupted.err_code));
	puts("}");
}

static void on_interrupt(int signal_number)
{
	/* Being called is enough: it ends the ioctl() with EINTR. */
	(void)signal_number;
}

int cmd_snapshot_wait(int argc, char **argv)
{
	const struct sigaction interrupt = { .sa_handler = on_interrupt };
	struct blksnap_snapshot_event event = { };
	__u64 timeout_ms = DEFAULT_TIMEOUT_MS;
	int option;
	int control;

	while ((option = next_option(argc, argv, wait_options)) != -1) {
		if (option != 't')
			return EXIT_USAGE;
		if (!parse_number(optarg, &timeout_ms) || timeout_ms > ~0U)
			return usage("%s is no time in milliseconds", optarg);
	}
	if (words_only(argc, argv, 1, 1) || take_id(argv[optind], event.id))
		return EXIT_USAGE;
	control = open_control();
	if (control < 0)
		return EXIT_FAILED;

	event.timeout_ms = timeout_ms;
	sigaction(SIGINT, &interrupt, NULL);
	if (ioctl(control, IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT, &event))
		return fail("IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT", argv[optind]);
	print_event(&event);
	return 0;
}
