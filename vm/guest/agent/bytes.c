// SPDX-License-Identifier: GPL-2.0
/*
 * A queue of bytes that grows, and numbers as frames have them.
 */
#include <stdlib.h>
#include <string.h>

#include "agent.h"

void bytes_reserve(struct bytes *b, size_t more)
{
	if (b->start == b->end)
		b->start = b->end = 0;
	if (b->end + more <= b->room)
		return;
	if (b->start) {
		memmove(b->data, b->data + b->start, b->end - b->start);
		b->end -= b->start;
		b->start = 0;
	}
	if (b->end + more > b->room) {
		b->room = (b->end + more) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			die("out of memory");
	}
}

void bytes_append(struct bytes *b, const void *data, size_t count)
{
	bytes_reserve(b, count);
	memcpy(b->data + b->end, data, count);
	b->end += count;
}

size_t bytes_count(const struct bytes *b)
{
	return b->end - b->start;
}

uint32_t get_u32(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

void put_u32(unsigned char *p, uint32_t v)
{
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}
