// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: options and words of a command.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include "tool.h"

static const struct option no_options[] = { { } };

int usage(const char *format, ...)
{
	va_list arguments;

	fputs("blksnapctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("; see --help\n", stderr);
	return EXIT_USAGE;
}

int next_option(int argc, char **argv, const struct option *options)
{
	int option;

	opterr = 0;
	option = getopt_long(argc, argv, ":", options, NULL);
	if (option == ':') {
		usage("%s takes a value", argv[optind - 1]);
		return '?';
	}
	if (option == '?')
		usage("%s is no option of %s", argv[optind - 1], argv[0]);
	return option;
}

int words_only(int argc, char **argv, int min, int max)
{
	/* A command with options has parsed them, and finds no more. */
	if (next_option(argc, argv, no_options) != -1)
		return EXIT_USAGE;
	if (argc - optind < min)
		return usage("%s takes more arguments", argv[0]);
	if (argc - optind > max)
		return usage("%s takes no %s", argv[0], argv[optind + max]);
	return 0;
}
