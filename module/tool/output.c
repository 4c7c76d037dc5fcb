// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: printing results and errors as JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "tool.h"

static void write_json_string(FILE *file, const char *text)
{
	const unsigned char *c;

	putc('"', file);
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(file, "\\%c", *c);
		else if (*c < ' ')
			fprintf(file, "\\u%04x", *c);
		else
			putc(*c, file);
	}
	putc('"', file);
}

void print_json_string(const char *text)
{
	write_json_string(stdout, text);
}

void format_uuid(const __u8 *uuid, char *text)
{
	int i;

	for (i = 0; i < BLKSNAP_UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", uuid[i]);
	}
}

int call_failed(const char *call, const char *object)
{
	int number = errno;
	const char *name = strerrorname_np(number);

	fprintf(stderr, "{\"error\":");
	write_json_string(stderr, name ? name : "unknown");
	fprintf(stderr, ",\"errno\":%d,\"call\":", number);
	write_json_string(stderr, call);
	if (object) {
		fprintf(stderr, ",\"object\":");
		write_json_string(stderr, object);
	}
	fprintf(stderr, ",\"message\":");
	write_json_string(stderr, strerror(number));
	fprintf(stderr, "}\n");
	return EXIT_FAILED;
}
