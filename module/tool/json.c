// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: strings in JSON, and the line that reports a failed call.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "tool.h"

static void put_string(FILE *out, const char *text)
{
	if (!text) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			/* A path may be no UTF-8, but this always is JSON. */
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

void json_string(const char *text)
{
	put_string(stdout, text);
}

int fail(const char *call, const char *subject)
{
	int number = errno;
	char message[512];

	snprintf(message, sizeof(message), "%s%s%s: %s", call,
		 subject ? " " : "", subject ? subject : "", strerror(number));
	/* What was printed before the failure stays in front of it. */
	fflush(stdout);
	fputs("{\"error\":", stderr);
	put_string(stderr, errno_name(number));
	fprintf(stderr, ",\"errno\":%d,\"call\":", number);
	put_string(stderr, call);
	fputs(",\"message\":", stderr);
	put_string(stderr, message);
	fputs("}\n", stderr);
	return EXIT_FAILED;
}
