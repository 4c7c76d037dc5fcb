// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: the commands of blksnap for people and scripts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "tool.h"

static const struct command *const groups[] = {
	filter_commands, snapshot_commands, cbt_commands,
};

static void print_help(void)
{
	const struct command *command;
	size_t i;

	printf("blksnapctl COMMAND ...\n\n");
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		for (command = groups[i]; command->name; command++)
			printf("  %s %s\n", command->name, command->usage);
	printf("\nblksnapctl COMMAND --help tells more about one.\n"
	       "Results are JSON, one object per line; so are errors, on stderr.\n"
	       "Exit status: 0 done, 1 a call failed, 2 wrong usage.\n");
}

/* Return: the number of words of @name if they are @argv's first, or 0. */
static int match_words(const char *name, int argc, char **argv)
{
	const char *space = strchr(name, ' ');
	size_t len = space ? (size_t)(space - name) : strlen(name);

	if (argc < 1 || strlen(argv[0]) != len || strncmp(argv[0], name, len))
		return 0;
	if (!space)
		return 1;
	return argc > 1 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

static int run(const struct command *command, struct args *args)
{
	int i, ret;

	for (i = 0; i < args->count; i++) {
		if (!is_help(args->values[i]))
			continue;
		printf("blksnapctl %s %s\n\n%s\n", command->name,
		       command->usage, command->help);
		return EXIT_DONE;
	}
	ret = command->run(args);
	if (fflush(stdout) && ret == EXIT_DONE)
		return call_failed("write", "stdout");
	return ret;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct args args;
	size_t i;
	int words;

	if (argc < 2)
		usage_error("a command is missing");
	if (is_help(argv[1]) || !strcmp(argv[1], "help")) {
		print_help();
		return EXIT_DONE;
	}
	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		for (command = groups[i]; command->name; command++) {
			words = match_words(command->name, argc - 1, argv + 1);
			if (!words)
				continue;
			args.count = argc - 1 - words;
			args.values = argv + 1 + words;
			return run(command, &args);
		}
	}
	usage_error("unknown command %s%s%s", argv[1], argc > 2 ? " " : "",
		    argc > 2 ? argv[2] : "");
}
