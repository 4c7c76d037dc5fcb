/* SPDX-License-Identifier: GPL-2.0 */
/*
 * XXH32 of seed 0, as xxHash computes it. Whole devices are read in emulated
 * guests: a multiplication is cheap there, and a look into a table is not.
 */
#ifndef BLKIO_XXH32_H
#define BLKIO_XXH32_H

#include <linux/types.h>
#include <stddef.h>

#define XXH32_PRIME_1	0x9E3779B1U
#define XXH32_PRIME_2	0x85EBCA77U
#define XXH32_PRIME_3	0xC2B2AE3DU

static inline __u32 xxh32_rotate(__u32 x, unsigned int bits)
{
	return x << bits | x >> (32 - bits);
}

static inline __u32 xxh32_round(__u32 sum, __u32 word)
{
	return xxh32_rotate(sum + word * XXH32_PRIME_2, 13) * XXH32_PRIME_1;
}

/* @nr: Words, a multiple of 4. Little-endian machines only, as are our guests. */
static __u32 xxh32(const __u32 *words, size_t nr)
{
	__u32 a = XXH32_PRIME_1 + XXH32_PRIME_2;
	__u32 b = XXH32_PRIME_2;
	__u32 c = 0;
	__u32 d = -XXH32_PRIME_1;
	__u32 sum;

	for (size_t i = 0; i < nr; i += 4) {
		a = xxh32_round(a, words[i]);
		b = xxh32_round(b, words[i + 1]);
		c = xxh32_round(c, words[i + 2]);
		d = xxh32_round(d, words[i + 3]);
	}
	sum = xxh32_rotate(a, 1) + xxh32_rotate(b, 7) + xxh32_rotate(c, 12) +
	      xxh32_rotate(d, 18) + nr * sizeof(__u32);
	sum = (sum ^ sum >> 15) * XXH32_PRIME_2;
	sum = (sum ^ sum >> 13) * XXH32_PRIME_3;
	return sum ^ sum >> 16;
}

#endif /* BLKIO_XXH32_H */
