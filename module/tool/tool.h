/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnapctl: what its files share.
 *
 * A command returns the exit status: 0, EXIT_FAILED after fail(), or
 * EXIT_USAGE after usage(). Results are JSON lines on stdout, failures one
 * JSON line on stderr, mistakes of usage are text on stderr.
 */
#ifndef BLKSNAPCTL_TOOL_H
#define BLKSNAPCTL_TOOL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

#define EXIT_FAILED	1
#define EXIT_USAGE	2

#define SECTOR_SHIFT	9
/* Bytes of a UUID as text, the terminating NUL included. */
#define UUID_TEXT_SIZE	37

struct blkfilter_ctl;
struct option;

/**
 * struct command - one subcommand
 *
 * @group: First word, or NULL if @name is the only one.
 * @name: Last word of the command.
 * @arguments: What follows it, for the help.
 * @about: What it does, for the help. One line or more.
 * @run: Does it. argv[0] is @name, options are not parsed yet.
 */
struct command {
	const char *group;
	const char *name;
	const char *arguments;
	const char *about;
	int (*run)(int argc, char **argv);
};

int cmd_version(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_snapshot_create(int argc, char **argv);
int cmd_snapshot_add(int argc, char **argv);
int cmd_snapshot_take(int argc, char **argv);
int cmd_snapshot_destroy(int argc, char **argv);
int cmd_snapshot_collect(int argc, char **argv);
int cmd_snapshot_info(int argc, char **argv);
int cmd_snapshot_wait(int argc, char **argv);
int cmd_cbt_info(int argc, char **argv);
int cmd_cbt_map(int argc, char **argv);
int cmd_cbt_dirty(int argc, char **argv);

/* Says in one line of text what is wrong with the arguments. */
int usage(const char *format, ...);

/* The next option: -1 at the end, '?' after usage() when it is wrong. */
int next_option(int argc, char **argv, const struct option *options);
/*
 * Checks that no options are left, and @min to @max words from argv[optind]
 * on. Return: 0, or EXIT_USAGE after usage().
 */
int words_only(int argc, char **argv, int min, int max);

/* Reports errno of @call, which was about @subject (may be NULL). */
int fail(const char *call, const char *subject);

/* Prints a JSON string, or null. */
void json_string(const char *text);
/* Symbolic name of a positive errno, NULL if it has none. */
const char *errno_name(int number);

/* Parse the whole text; false if it is not one. */
bool parse_number(const char *text, __u64 *number);
bool parse_size(const char *text, __u64 *bytes);
bool parse_uuid(const char *text, __u8 *id);
void format_uuid(const __u8 *id, char *text);

/* Open the device or the control device; after fail() the result is -1. */
int open_device(const char *path);
int open_control(void);
/* BLKFILTER_CTL to blksnap; the result is that of ioctl(). */
int blksnap_ctl(int fd, __u32 cmd, void *argument, __u32 size);

#endif /* BLKSNAPCTL_TOOL_H */
