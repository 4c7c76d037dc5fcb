// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: drives blksnap by hand and from scripts. Here is the list of
 * commands and the way to them; each command is a function in cmd_*.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "tool.h"

static const struct command commands[] = {
	{ NULL, "version", "", "Version of the module.", cmd_version },
	{ NULL, "attach", "DEV [--name NAME]",
	  "Attach the filter (blksnap) to a block device.", cmd_attach },
	{ NULL, "detach", "DEV [--name NAME]",
	  "Detach the filter (blksnap) from a block device.", cmd_detach },
	{ "snapshot", "create", "--storage PATH [--limit SIZE]",
	  "New snapshot, with differences in a folder, file or block device.",
	  cmd_snapshot_create },
	{ "snapshot", "add", "ID DEV", "Add a device.", cmd_snapshot_add },
	{ "snapshot", "take", "ID", "Take it.", cmd_snapshot_take },
	{ "snapshot", "destroy", "ID", "Destroy it.", cmd_snapshot_destroy },
	{ "snapshot", "collect", "", "All snapshots, a line for each.",
	  cmd_snapshot_collect },
	{ "snapshot", "info", "DEV", "State and image of a device.",
	  cmd_snapshot_info },
	{ "snapshot", "wait", "ID [--timeout MS]",
	  "Wait for an event, 1000 ms at most.", cmd_snapshot_wait },
	{ "cbt", "info", "DEV", "The change map of a device.", cmd_cbt_info },
	{ "cbt", "map",
	  "DEV [--since N] [--generation ID] [--offset BLOCK] [--length BLOCKS] [--raw]",
	  "Extents in bytes that changed since take N (0) of the generation.",
	  cmd_cbt_map },
	{ "cbt", "dirty", "DEV OFFSET:COUNT...", "Mark sectors as changed.",
	  cmd_cbt_dirty },
};

static void print_help(const struct command *command)
{
	printf("blksnapctl %s%s%s%s%s\n        %s\n",
	       command->group ? command->group : "",
	       command->group ? " " : "", command->name,
	       command->arguments[0] ? " " : "", command->arguments,
	       command->about);
}

/* Help on @group, on all if it is NULL. */
static void print_help_of(const char *group)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!group || (commands[i].group &&
			       !strcmp(group, commands[i].group)))
			print_help(&commands[i]);
	}
	puts("\nSIZE is in bytes, or ends in K, M, G or T. Results are JSON lines on stdout;");
	puts("a failed call is one on stderr and exit 1, wrong usage is exit 2.");
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static bool is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].group && !strcmp(word, commands[i].group))
			return true;
	}
	return false;
}

static bool is_in_group(const struct command *command, const char *group)
{
	if (!group || !command->group)
		return group == command->group;
	return !strcmp(group, command->group);
}

static const struct command *find_command(const char *group, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (is_in_group(&commands[i], group) &&
		    !strcmp(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (is_help(argv[i])) {
			print_help(command);
			return 0;
		}
	}
	return command->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
	const char *group = NULL;
	const struct command *command;
	int at = 1;

	if (argc > at && is_group(argv[at]))
		group = argv[at++];
	if (argc <= at)
		return usage("which command?");
	if (is_help(argv[at])) {
		print_help_of(group);
		return 0;
	}
	command = find_command(group, argv[at]);
	if (!command)
		return usage("%s is no command", argv[at]);
	return run_command(command, argc - at, argv + at);
}

int main(int argc, char **argv)
{
	int status = dispatch(argc, argv);

	/* A result that did not get out is no success. */
	errno = 0;
	if ((fflush(stdout) || ferror(stdout)) && !status)
		status = fail("write", "stdout");
	return status;
}
