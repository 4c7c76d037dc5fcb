// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: numbers and sizes in arguments.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

/* Digits, decimal or after 0x hexadecimal; the rest of the text in @end. */
static bool parse_digits(const char *text, __u64 *number, char **end)
{
	int base = 10;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	/* strtoull() would take blanks and signs as well. */
	if (!isxdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, end, base);
	return !errno && *end != text;
}

bool parse_number(const char *text, __u64 *number)
{
	char *end;

	return parse_digits(text, number, &end) && !*end;
}

/* Bytes, or with a suffix KiB to TiB: 4096, 64K, 1G, 0x1000. */
bool parse_size(const char *text, __u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift;
	char *end;

	if (!parse_digits(text, bytes, &end))
		return false;
	if (!*end)
		return true;
	suffix = strchr(suffixes, toupper((unsigned char)*end));
	if (!suffix || end[1])
		return false;
	shift = 10 * (suffix - suffixes + 1);
	if (*bytes > ~0ULL >> shift)
		return false;
	*bytes <<= shift;
	return true;
}
