/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CRC-32 as zlib computes it (IEEE, reflected), eight bytes a step: whole
 * devices are read in emulated guests, where each instruction counts.
 */
#ifndef BLKIO_CRC32_H
#define BLKIO_CRC32_H

#include <linux/types.h>
#include <stddef.h>
#include <string.h>

#define CRC32_POLYNOMIAL	0xEDB88320U

static __u32 crc32_table[8][256];

/* Once, before crc32() is called. */
static void crc32_init(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		__u32 crc = i;

		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC32_POLYNOMIAL : 0);
		crc32_table[0][i] = crc;
	}
	for (unsigned int i = 0; i < 256; i++) {
		for (unsigned int k = 1; k < 8; k++) {
			__u32 crc = crc32_table[k - 1][i];

			crc32_table[k][i] = (crc >> 8) ^
					    crc32_table[0][crc & 0xFF];
		}
	}
}

/* Little-endian machines only, as are our guests. */
static __u32 crc32(const void *data, size_t length)
{
	const __u8 *bytes = data;
	__u32 crc = ~0U;

	for (; length >= 8; length -= 8, bytes += 8) {
		__u32 low, high;

		memcpy(&low, bytes, 4);
		memcpy(&high, bytes + 4, 4);
		low ^= crc;
		crc = crc32_table[7][low & 0xFF] ^
		      crc32_table[6][low >> 8 & 0xFF] ^
		      crc32_table[5][low >> 16 & 0xFF] ^
		      crc32_table[4][low >> 24] ^
		      crc32_table[3][high & 0xFF] ^
		      crc32_table[2][high >> 8 & 0xFF] ^
		      crc32_table[1][high >> 16 & 0xFF] ^
		      crc32_table[0][high >> 24];
	}
	for (; length; length--, bytes++)
		crc = (crc >> 8) ^ crc32_table[0][(crc ^ *bytes) & 0xFF];
	return ~crc;
}

#endif /* BLKIO_CRC32_H */
