// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: commands about the change map.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool.h"

/* Bytes (blocks) of the map that are read at a time. */
#define PIECE_SIZE	65536U

static const struct option no_options[] = { { NULL, NULL, NULL } };

static int get_info(int fd, struct blksnap_cbtinfo *info)
{
	return filter_ctl(fd, blkfilter_ctl_blksnap_cbtinfo, info,
			  sizeof(*info));
}

/* Print the members that describe the map, without the braces. */
static void print_info(const struct blksnap_cbtinfo *info)
{
	char generation[UUID_TEXT_SIZE];

	format_uuid(info->generation_id, generation);
	printf("\"capacity\":%llu,\"block_size\":%u,\"block_count\":%u",
	       (unsigned long long)info->device_capacity, info->block_size,
	       info->block_count);
	printf(",\"generation\":\"%s\",\"number\":%u", generation,
	       info->changes_number);
}

static int run_info(struct args *args)
{
	struct blksnap_cbtinfo info;

	take_options(args, no_options, 1, 1);
	if (get_info(open_device(args->values[0]), &info) < 0)
		return call_failed("cbtinfo", args->values[0]);
	printf("{");
	print_info(&info);
	printf("}\n");
	return EXIT_DONE;
}

/* Return: bytes read from @offset on, fewer at the map's end; -1 and errno. */
static int read_piece(int fd, __u8 *bytes, __u32 offset, __u32 length)
{
	struct blksnap_cbtmap arg = {
		.offset = offset,
		.length = length,
		.buffer = (uintptr_t)bytes,
	};

	return filter_ctl(fd, blkfilter_ctl_blksnap_cbtmap, &arg, sizeof(arg));
}

/* Copy the map as it is to stdout. */
static int print_raw(int fd, const char *device, __u32 offset,
		     __u32 length)
{
	__u8 piece[PIECE_SIZE];
	int size;

	while (length) {
		__u32 want = length < sizeof(piece) ? length : sizeof(piece);

		size = read_piece(fd, piece, offset, want);
		if (size < 0)
			return call_failed("cbtmap", device);
		if (!size)
			break;
		if (fwrite(piece, 1, size, stdout) != (size_t)size)
			return call_failed("write", "stdout");
		offset += size;
		length -= size;
	}
	return EXIT_DONE;
}

/* Return: the whole map, or NULL and errno. */
static __u8 *read_map(int fd, const struct blksnap_cbtinfo *info)
{
	__u8 *map = malloc(info->block_count ? info->block_count : 1);
	__u32 done = 0;

	while (map && done < info->block_count) {
		__u32 left = info->block_count - done;
		int size = read_piece(fd, map + done, done,
				      left < PIECE_SIZE ? left : PIECE_SIZE);

		if (size <= 0) {
			if (!size)
				errno = ENODATA;
			free(map);
			return NULL;
		}
		done += size;
	}
	return map;
}

/*
 * Read information and map that belong together: begin again if a snapshot was
 * taken between.
 */
static __u8 *read_consistent(int fd, struct blksnap_cbtinfo *info)
{
	struct blksnap_cbtinfo after;
	__u8 *map;

	for (;;) {
		if (get_info(fd, info) < 0)
			return NULL;
		map = read_map(fd, info);
		if (get_info(fd, &after) < 0) {
			free(map);
			return NULL;
		}
		if (!memcmp(info, &after, sizeof(after)))
			return map;
		free(map);
	}
}

static void print_extent(const struct blksnap_cbtinfo *info, __u64 first,
			 __u64 end)
{
	__u64 from = first * info->block_size;
	__u64 to = end * info->block_size;

	if (to > info->device_capacity)
		to = info->device_capacity;
	printf("{\"offset\":%llu,\"length\":%llu}\n", (unsigned long long)from,
	       (unsigned long long)(to - from));
}

/* Print the runs of blocks whose byte is larger than @since. */
static void print_extents(const struct blksnap_cbtinfo *info,
			  const __u8 *map, unsigned int since)
{
	__u32 block, first;

	for (block = 0; block < info->block_count; block++) {
		if (map[block] <= since)
			continue;
		first = block;
		while (block < info->block_count && map[block] > since)
			block++;
		print_extent(info, first, block);
	}
}

static int print_changes(int fd, const char *device, unsigned int since,
			 const __u8 *generation)
{
	struct blksnap_cbtinfo info;
	bool is_full;
	__u8 *map;

	map = read_consistent(fd, &info);
	if (!map)
		return call_failed("cbtmap", device);
	is_full = generation && memcmp(generation, info.generation_id,
				       sizeof(info.generation_id));
	printf("{");
	print_info(&info);
	printf(",\"full\":%s}\n", is_full ? "true" : "false");
	if (is_full)
		print_extent(&info, 0, info.block_count);
	else
		print_extents(&info, map, since);
	free(map);
	return EXIT_DONE;
}

static int run_map(struct args *args)
{
	const char *since = "0", *generation = NULL;
	const char *offset = "0", *length = "0xffffffff";
	bool is_raw = false, is_piece = false, is_filter = false;
	const struct option options[] = {
		{ "since", &since, &is_filter },
		{ "generation", &generation, &is_filter },
		{ "raw", NULL, &is_raw },
		{ "offset", &offset, &is_piece },
		{ "length", &length, &is_piece },
		{ NULL, NULL, NULL },
	};
	__u8 uuid[BLKSNAP_UUID_SIZE];
	__u32 first, count;
	unsigned int number;
	int fd;

	take_options(args, options, 1, 1);
	if (is_raw && is_filter)
		usage_error("--raw prints the map as it is; leave --since and --generation out");
	if (is_piece && !is_raw)
		usage_error("--offset and --length are for --raw");
	number = parse_number("--since", since, UINT8_MAX);
	first = parse_number("--offset", offset, UINT32_MAX);
	count = parse_number("--length", length, UINT32_MAX);
	if (generation)
		parse_uuid(generation, uuid);
	fd = open_device(args->values[0]);
	if (is_raw)
		return print_raw(fd, args->values[0], first, count);
	return print_changes(fd, args->values[0], number,
			     generation ? uuid : NULL);
}

static void parse_range(char *text, struct blksnap_sectors *range)
{
	char *colon = strchr(text, ':');

	if (!colon)
		usage_error("a range is OFFSET:COUNT in sectors, not %s", text);
	*colon = '\0';
	range->offset = parse_number("OFFSET", text, UINT64_MAX);
	range->count = parse_number("COUNT", colon + 1, UINT64_MAX);
	*colon = ':';
}

static int run_dirty(struct args *args)
{
	struct blksnap_cbtdirty arg = { 0 };
	struct blksnap_sectors *ranges;
	int fd, i;

	take_options(args, no_options, 2, INT32_MAX);
	arg.count = args->count - 1;
	ranges = calloc(arg.count, sizeof(*ranges));
	if (!ranges)
		return call_failed("calloc", NULL);
	for (i = 1; i < args->count; i++)
		parse_range(args->values[i], &ranges[i - 1]);
	arg.dirty_sectors = (uintptr_t)ranges;
	fd = open_device(args->values[0]);
	if (filter_ctl(fd, blkfilter_ctl_blksnap_cbtdirty, &arg,
		       sizeof(arg)) < 0)
		return call_failed("cbtdirty", args->values[0]);
	printf("{\"ranges\":%u}\n", arg.count);
	free(ranges);
	return EXIT_DONE;
}

const struct command cbt_commands[] = {
	{ "cbt info", "DEV",
	  "Print size, generation and number of the change map.", run_info },
	{ "cbt map",
	  "DEV [--since N] [--generation UUID] | --raw [--offset N] [--length N]",
	  "Print what changed after snapshot number N: a line about the map,\n"
	  "then a line per extent, in bytes. Give the generation in which N was\n"
	  "noted: if it is over, everything is to be copied, and \"full\" is true.\n"
	  "--raw copies the bytes of the map, one per block, to stdout.",
	  run_map },
	{ "cbt dirty", "DEV OFFSET:COUNT...",
	  "Mark ranges of sectors as changed: all of them or none.", run_dirty },
	{ NULL, NULL, NULL, NULL },
};
