/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnapctl: what its files share.
 *
 * Results go to stdout, errors to stderr, both as one JSON object per line.
 * Functions that take an option or open something end the program themselves
 * when that fails: a command is one try.
 */
#ifndef BLKSNAPCTL_TOOL_H
#define BLKSNAPCTL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/blksnap.h>

#define __noreturn	__attribute__((__noreturn__))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,	/* a call failed; stderr says which and why */
	EXIT_USAGE = 2,
};

/**
 * struct option - an option of a command
 * @name:	without the leading dashes
 * @value:	where its value goes; NULL for an option without one
 * @given:	set when the option was there; may be NULL
 */
struct option {
	const char *name;
	const char **value;
	bool *given;
};

/**
 * struct args - what stands behind the command's name
 * @count:	number of @values
 * @values:	those that are not options, in order
 */
struct args {
	int count;
	char **values;
};

/**
 * struct command - one subcommand
 * @name:	one or two words
 * @usage:	its arguments
 * @help:	what it does and prints
 * @run:	does it; returns an &enum exit_code
 */
struct command {
	const char *name;
	const char *usage;
	const char *help;
	int (*run)(struct args *args);
};

extern const struct command filter_commands[];
extern const struct command snapshot_commands[];
extern const struct command cbt_commands[];

/* options.c */

/*
 * Take the options in @options (the last one has no name) out of @args. Ends
 * the program if there is another one, a value is missing, or what remains is
 * not @min to @max values.
 */
void take_options(struct args *args, const struct option *options, int min,
		  int max);
__noreturn __printf(1, 2) void usage_error(const char *format, ...);
__u64 parse_number(const char *what, const char *text, __u64 max);
/* Bytes; K, M, G and T are powers of 1024. */
__u64 parse_size(const char *what, const char *text);
void parse_uuid(const char *text, __u8 *uuid);

/* output.c */

/* Print @text as a JSON string to stdout. */
void print_json_string(const char *text);
#define UUID_TEXT_SIZE	37
void format_uuid(const __u8 *uuid, char *text);
/* Print errno with the call that set it. Return: EXIT_FAILED. */
int call_failed(const char *call, const char *object);

/* device.c */

int open_device(const char *path);
int open_control(void);
/* One command of the blksnap filter. Return: that of ioctl(). */
int filter_ctl(int fd, enum blkfilter_ctl_blksnap cmd, void *arg, size_t size);

#endif /* BLKSNAPCTL_TOOL_H */
