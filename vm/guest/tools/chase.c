// SPDX-License-Identifier: GPL-2.0
/*
 * chase: overwrites a device, chunk after chunk, while threads read its image
 * just there, pieces of any place and size, and look at each sector they get.
 * The device was filled by "blkio fill --device 1 --version 1" before the cut.
 *
 * Prints how many pieces were read. A sector that is not as it was at the cut
 * is a line on stderr, and exit 1.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sector.h"

#define READERS		3
#define ALIGNMENT	4096
#define WRITE_SIZE	4096

static int image;
static __u64 chunk_sectors, chunks;
/* The chunk that is being overwritten. */
static atomic_ullong current;
static atomic_ullong reads;
static atomic_bool is_over;
static atomic_int wrongs;

struct reader {
	pthread_t thread;
	unsigned int seed;
};

static void *allocate(size_t size)
{
	void *memory = aligned_alloc(ALIGNMENT, size);

	if (!memory)
		errx(2, "no memory");
	return memory;
}

/* By who it says it is, and both ends of its noise: to make the sectors anew would cost more than to read them. */
static bool is_old(const struct sector *seen, __u64 number)
{
	__u32 noise = sector_seed(1, number, 1);

	return seen->magic == SECTOR_MAGIC && seen->device == 1 &&
	       seen->sector == number && seen->version == 1 &&
	       seen->noise[0] == noise && seen->noise[SECTOR_NOISE - 1] ==
	       noise + (SECTOR_NOISE - 1) * SECTOR_STEP;
}

/* One piece within the chunk that is being overwritten, or the one before. */
static void read_piece(struct reader *reader, struct sector *buffer)
{
	__u64 chunk = atomic_load(&current);
	__u64 first = rand_r(&reader->seed) % chunk_sectors;
	__u64 count = 1 + rand_r(&reader->seed) % (chunk_sectors - first);
	ssize_t length = count * SECTOR_SIZE;

	if (chunk && rand_r(&reader->seed) % 4 == 0)
		chunk--;
	first += chunk * chunk_sectors;
	if (pread(image, buffer, length, first * SECTOR_SIZE) != length)
		err(2, "read of %llu sectors at %llu", count, first);
	for (__u64 i = 0; i < count; i++) {
		if (is_old(&buffer[i], first + i))
			continue;
		if (atomic_fetch_add(&wrongs, 1) < 8)
			warnx("sector %llu of the image, in a piece from %llu on, says sector %llu, version %llu",
			      first + i, first, buffer[i].sector, buffer[i].version);
	}
	atomic_fetch_add(&reads, 1);
}

static void *reader_run(void *data)
{
	struct reader *reader = data;
	struct sector *buffer = allocate(chunk_sectors * SECTOR_SIZE);

	while (!atomic_load(&is_over))
		read_piece(reader, buffer);
	free(buffer);
	return NULL;
}

/* Each chunk once, and not before all readers can have seen the one before. */
static void overwrite(int device, unsigned int seed)
{
	__u8 *data = memset(allocate(WRITE_SIZE), 0xee, WRITE_SIZE);
	__u64 room = chunk_sectors - WRITE_SIZE / SECTOR_SIZE + 1;

	for (__u64 chunk = 0; chunk < chunks; chunk++) {
		__u64 sector = chunk * chunk_sectors + rand_r(&seed) % room;
		__u64 enough = atomic_load(&reads) + READERS;

		atomic_store(&current, chunk);
		if (pwrite(device, data, WRITE_SIZE, sector * SECTOR_SIZE) != WRITE_SIZE)
			err(2, "write at sector %llu", sector);
		while (atomic_load(&reads) < enough)
			sched_yield();
	}
	free(data);
}

int main(int argc, char **argv)
{
	struct reader readers[READERS];
	unsigned int seed;
	int device;

	if (argc != 6)
		errx(2, "usage: chase DEVICE IMAGE CHUNK-BYTES CHUNKS SEED");
	device = open(argv[1], O_WRONLY | O_DIRECT);
	if (device < 0)
		err(2, "%s", argv[1]);
	image = open(argv[2], O_RDONLY | O_DIRECT);
	if (image < 0)
		err(2, "%s", argv[2]);
	chunk_sectors = strtoull(argv[3], NULL, 10) / SECTOR_SIZE;
	chunks = strtoull(argv[4], NULL, 10);
	seed = strtoul(argv[5], NULL, 10);

	for (int i = 0; i < READERS; i++) {
		readers[i].seed = seed + 1 + i;
		if (pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]))
			errx(2, "no thread");
	}
	overwrite(device, seed);
	atomic_store(&is_over, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	printf("{\"reads\":%llu}\n", atomic_load(&reads));
	return atomic_load(&wrongs) ? 1 : 0;
}
