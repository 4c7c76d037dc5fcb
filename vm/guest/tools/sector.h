/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sectors that say who they are: device, sector and version, and noise that
 * follows from them. The oracle of the suites makes the same bytes
 * (suites/oracle/sector.ts).
 */
#ifndef BLKIO_SECTOR_H
#define BLKIO_SECTOR_H

#include <assert.h>
#include <linux/types.h>

#define SECTOR_SIZE	512
#define SECTOR_WORDS	(SECTOR_SIZE / 4)
#define SECTOR_MAGIC	0x534B4C42U	/* "BLKS" */
#define SECTOR_NOISE	122
#define SECTOR_STEP	0x9E3779B1U

/* Little-endian, without padding: 24 + 122 * 4 bytes. */
struct sector {
	__u32 magic;
	__u32 device;
	__u64 sector;
	__u64 version;
	__u32 noise[SECTOR_NOISE];
};

static_assert(sizeof(struct sector) == SECTOR_SIZE, "a sector is 512 bytes");

/*
 * Sectors of which only one of device, sector and version differs never begin
 * with the same noise, for each step here can be undone.
 */
static inline __u32 sector_seed(__u32 device, __u32 sector, __u32 version)
{
	__u32 x = device * 0x9E3779B1U ^ sector * 0x85EBCA77U ^
		  version * 0xC2B2AE3DU;

	x = (x ^ x >> 16) * 0x85EBCA6BU;
	x = (x ^ x >> 13) * 0xC2B2AE35U;
	return x ^ x >> 16;
}

/*
 * The noise is a sum that grows by the same step from word to word, the
 * cheapest that there is in an emulated guest: all words of a sector differ,
 * and sectors with other beginnings differ in every word of theirs.
 */
static inline void sector_make(struct sector *to, __u32 device, __u64 sector,
			       __u64 version)
{
	__u32 x = sector_seed(device, sector, version);

	to->magic = SECTOR_MAGIC;
	to->device = device;
	to->sector = sector;
	to->version = version;
	for (unsigned int i = 0; i < SECTOR_NOISE; i++, x += SECTOR_STEP)
		to->noise[i] = x;
}

#endif /* BLKIO_SECTOR_H */
