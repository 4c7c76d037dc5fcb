// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: UUIDs, 16 raw bytes in the order of RFC 4122, and their text.
 */
#include <ctype.h>
#include <linux/blksnap.h>
#include <stdio.h>
#include <string.h>
#include "tool.h"

static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

bool parse_uuid(const char *text, __u8 *id)
{
	unsigned int digits = 0;

	if (strlen(text) != strlen(pattern))
		return false;
	for (unsigned int i = 0; pattern[i]; i++) {
		if (pattern[i] == '-') {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (!isxdigit((unsigned char)text[i]))
			return false;
		id[digits / 2] = (id[digits / 2] << 4) | hex_value(text[i]);
		digits++;
	}
	return true;
}

void format_uuid(const __u8 *id, char *text)
{
	for (unsigned int i = 0; i < BLKSNAP_UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", id[i]);
	}
}
