// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: changed-block tracking. The map has a byte for each block, the
 * number of the snapshot before which it changed last.
 */
#include <getopt.h>
#include <linux/blksnap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

/**
 * struct map_request - what of the map is asked for, and how
 *
 * @device: Path, for messages.
 * @generation: UUID that @since belongs to.
 * @offset: First block.
 * @length: Blocks at most.
 * @since: Blocks with a larger byte have changed.
 * @has_generation: @generation was given.
 * @has_since: @since was given.
 * @raw: The bytes themselves are wanted.
 */
struct map_request {
	const char *device;
	__u8 generation[BLKSNAP_UUID_SIZE];
	__u64 offset;
	__u64 length;
	__u64 since;
	bool has_generation;
	bool has_since;
	bool raw;
};

/* Bytes of a piece of the map, and how many there are. */
struct map {
	struct blksnap_cbtinfo info;
	__u8 *bytes;
	__u32 count;
};

static const struct option map_options[] = {
	{ "since", required_argument, NULL, 's' },
	{ "generation", required_argument, NULL, 'g' },
	{ "offset", required_argument, NULL, 'o' },
	{ "length", required_argument, NULL, 'l' },
	{ "raw", no_argument, NULL, 'r' },
	{ }
};

static int read_info(int fd, const char *device, struct blksnap_cbtinfo *info)
{
	/* Compared as a whole, so its padding must be defined. */
	memset(info, 0, sizeof(*info));
	if (blksnap_ctl(fd, blkfilter_ctl_blksnap_cbtinfo, info,
			sizeof(*info)) < 0)
		return fail("blkfilter_ctl_blksnap_cbtinfo", device);
	return 0;
}

int cmd_cbt_info(int argc, char **argv)
{
	struct blksnap_cbtinfo info;
	char generation[UUID_TEXT_SIZE];
	int fd;

	if (words_only(argc, argv, 1, 1))
		return EXIT_USAGE;
	fd = open_device(argv[optind]);
	if (fd < 0 || read_info(fd, argv[optind], &info))
		return EXIT_FAILED;

	format_uuid(info.generation_id, generation);
	printf("{\"capacity\":%llu,\"block_size\":%u,\"block_count\":%u",
	       info.device_capacity, info.block_size, info.block_count);
	printf(",\"generation\":\"%s\",\"changes\":%u}\n", generation,
	       info.changes_number);
	return 0;
}

/* Reads up to @room bytes into @map, fewer at the end of the device's map. */
static int read_bytes(int fd, const struct map_request *request,
		      struct map *map, __u32 room)
{
	map->count = 0;
	do {
		struct blksnap_cbtmap piece = {
			.offset = request->offset + map->count,
			.length = room - map->count,
			.buffer = (uintptr_t)(map->bytes + map->count),
		};
		int ret = blksnap_ctl(fd, blkfilter_ctl_blksnap_cbtmap, &piece,
				      sizeof(piece));

		if (ret < 0)
			return fail("blkfilter_ctl_blksnap_cbtmap",
				    request->device);
		if (!ret)
			break;
		map->count += ret;
	} while (map->count < room);
	return 0;
}

/*
 * A take or a reset between the calls would mix two maps, so the description
 * must be the same before and after. The caller frees map->bytes.
 */
static int read_map(int fd, const struct map_request *request, struct map *map)
{
	struct blksnap_cbtinfo after;

	map->bytes = NULL;
	do {
		__u64 room;

		if (read_info(fd, request->device, &map->info))
			return EXIT_FAILED;
		/* One more than there is, so that its end is the module's. */
		room = (__u64)map->info.block_count + 1;
		if (room > request->length)
			room = request->length;
		free(map->bytes);
		map->bytes = malloc(room + 1);
		if (!map->bytes)
			return fail("malloc", NULL);
		if (read_bytes(fd, request, map, room) ||
		    read_info(fd, request->device, &after))
			return EXIT_FAILED;
	} while (memcmp(&map->info, &after, sizeof(after)));
	return 0;
}

/* Prints blocks @first to before @end of the device as bytes. */
static void print_extent(const struct blksnap_cbtinfo *info, __u64 first,
			 __u64 end)
{
	__u64 offset = first * info->block_size;
	__u64 limit = end * info->block_size;

	if (limit > info->device_capacity)
		limit = info->device_capacity;
	printf("{\"offset\":%llu,\"length\":%llu}\n", offset, limit - offset);
}

static void print_changes(const struct map_request *request,
			  const struct map *map)
{
	__u32 i = 0;

	while (i < map->count) {
		__u32 first = i;

		while (i < map->count && map->bytes[i] > request->since)
			i++;
		if (i > first)
			print_extent(&map->info, request->offset + first,
				     request->offset + i);
		else
			i++;
	}
}

static int print_map(int fd, const struct map_request *request)
{
	struct map map;

	if (read_map(fd, request, &map))
		return EXIT_FAILED;
	if (request->raw)
		fwrite(map.bytes, 1, map.count, stdout);
	else if (request->has_generation &&
		 memcmp(request->generation, map.info.generation_id,
			sizeof(request->generation)))
		printf("{\"offset\":0,\"length\":%llu,\"full\":true}\n",
		       map.info.device_capacity);
	else
		print_changes(request, &map);
	free(map.bytes);
	return 0;
}

/* One option of cbt map into @request; false if its value is bad. */
static bool map_option(int option, struct map_request *request)
{
	switch (option) {
	case 's':
		request->has_since = true;
		return parse_number(optarg, &request->since) &&
		       request->since <= 255;
	case 'g':
		request->has_generation = true;
		return parse_uuid(optarg, request->generation);
	case 'o':
		return parse_number(optarg, &request->offset) &&
		       request->offset <= ~0U;
	case 'l':
		return parse_number(optarg, &request->length) &&
		       request->length <= ~0U;
	default:
		request->raw = true;
		return true;
	}
}

int cmd_cbt_map(int argc, char **argv)
{
	struct map_request request = { .length = ~0U };
	int option;
	int fd;

	while ((option = next_option(argc, argv, map_options)) != -1) {
		if (option == '?')
			return EXIT_USAGE;
		if (!map_option(option, &request))
			return usage("%s is not what the option takes", optarg);
	}
	if (words_only(argc, argv, 1, 1))
		return EXIT_USAGE;
	if (request.raw && (request.has_since || request.has_generation))
		return usage("--raw goes with neither --since nor --generation");

	request.device = argv[optind];
	fd = open_device(request.device);
	return fd < 0 ? EXIT_FAILED : print_map(fd, &request);
}

static bool parse_range(char *text, struct blksnap_sectors *range)
{
	char *colon = strchr(text, ':');
	__u64 offset;
	__u64 count;

	if (!colon)
		return false;
	*colon = '\0';
	if (!parse_number(text, &offset) || !parse_number(colon + 1, &count)) {
		*colon = ':';
		return false;
	}
	range->offset = offset;
	range->count = count;
	return true;
}

int cmd_cbt_dirty(int argc, char **argv)
{
	struct blksnap_cbtdirty dirty = { };
	struct blksnap_sectors *ranges;
	const char *device;
	int fd;

	if (words_only(argc, argv, 2, argc))
		return EXIT_USAGE;
	device = argv[optind++];
	dirty.count = argc - optind;
	ranges = calloc(dirty.count, sizeof(*ranges));
	if (!ranges)
		return fail("calloc", NULL);
	dirty.dirty_sectors = (uintptr_t)ranges;
	for (__u32 i = 0; i < dirty.count; i++) {
		if (!parse_range(argv[optind + i], &ranges[i]))
			return usage("%s is no OFFSET:COUNT", argv[optind + i]);
	}

	fd = open_device(device);
	if (fd < 0)
		return EXIT_FAILED;
	if (blksnap_ctl(fd, blkfilter_ctl_blksnap_cbtdirty, &dirty,
			sizeof(dirty)) < 0)
		return fail("blkfilter_ctl_blksnap_cbtdirty", device);
	fputs("{\"device\":", stdout);
	json_string(device);
	printf(",\"ranges\":%u}\n", dirty.count);
	free(ranges);
	return 0;
}
