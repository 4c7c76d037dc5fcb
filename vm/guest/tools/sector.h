/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sectors that say who they are: device, sector and version, noise that
 * follows from them, and a checksum. The oracle of the suites makes the same
 * bytes (suites/oracle/sector.ts).
 */
#ifndef BLKIO_SECTOR_H
#define BLKIO_SECTOR_H

#include <assert.h>
#include <linux/types.h>
#include "crc32.h"

#define SECTOR_SIZE	512
#define SECTOR_MAGIC	0x534B4C42U	/* "BLKS" */
#define SECTOR_NOISE	121

/* Little-endian, without padding: 24 + 121 * 4 + 4 bytes. */
struct sector {
	__u32 magic;
	__u32 device;
	__u64 sector;
	__u64 version;
	__u32 noise[SECTOR_NOISE];
	__u32 crc;
};

static_assert(sizeof(struct sector) == SECTOR_SIZE, "a sector is 512 bytes");

static void sector_make(struct sector *to, __u32 device, __u64 sector,
			__u64 version)
{
	__u32 x = ((device * 0x9E3779B1U) ^ ((__u32)sector * 0x85EBCA77U) ^
		   ((__u32)version * 0xC2B2AE3DU)) | 1;

	to->magic = SECTOR_MAGIC;
	to->device = device;
	to->sector = sector;
	to->version = version;
	for (unsigned int i = 0; i < SECTOR_NOISE; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		to->noise[i] = x;
	}
	to->crc = crc32(to, offsetof(struct sector, crc));
}

#endif /* BLKIO_SECTOR_H */
