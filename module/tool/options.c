// SPDX-License-Identifier: GPL-2.0
/*
 * blksnapctl: reading the command line.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

void usage_error(const char *format, ...)
{
	char message[512];
	va_list list;
	char *c;

	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	/* Whatever the user typed must not break the JSON. */
	for (c = message; *c; c++)
		if (*c == '"' || *c == '\\' || iscntrl((unsigned char)*c))
			*c = '\'';
	fprintf(stderr, "{\"error\":\"usage\",\"message\":\"%s; try --help\"}\n",
		message);
	exit(EXIT_USAGE);
}

/* Return: the option that @arg is, with what follows '=' in @value. */
static const struct option *find_option(const struct option *options,
					const char *arg, const char **value)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

	*value = equals ? equals + 1 : NULL;
	for (; options->name; options++)
		if (strlen(options->name) == len &&
		    !strncmp(options->name, arg, len))
			return options;
	return NULL;
}

void take_options(struct args *args, const struct option *options, int min,
		  int max)
{
	int in, out = 0;

	for (in = 0; in < args->count; in++) {
		const struct option *option;
		const char *value;
		char *arg = args->values[in];

		if (strncmp(arg, "--", 2)) {
			args->values[out++] = arg;
			continue;
		}
		option = find_option(options, arg + 2, &value);
		if (!option)
			usage_error("unknown option %s", arg);
		if (!option->value && value)
			usage_error("--%s takes no value", option->name);
		if (option->value && !value) {
			if (++in >= args->count)
				usage_error("--%s needs a value", option->name);
			value = args->values[in];
		}
		if (option->value)
			*option->value = value;
		if (option->given)
			*option->given = true;
	}
	args->count = out;
	if (out < min)
		usage_error("an argument is missing");
	if (out > max)
		usage_error("%s is one argument too many", args->values[max]);
}

/* Return: the number at the start of @text, with what follows it in @rest. */
static __u64 read_number(const char *what, const char *text,
			 const char **rest)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (end == text || !isdigit((unsigned char)*text))
		usage_error("%s is a number, not %s", what, text);
	if (errno)
		usage_error("%s is too large: %s", what, text);
	*rest = end;
	return number;
}

__u64 parse_number(const char *what, const char *text, __u64 max)
{
	const char *rest;
	__u64 number = read_number(what, text, &rest);

	if (*rest)
		usage_error("%s is a number, not %s", what, text);
	if (number > max)
		usage_error("%s is at most %llu, not %s", what,
			    (unsigned long long)max, text);
	return number;
}

__u64 parse_size(const char *what, const char *text)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	__u64 number = read_number(what, text, &rest);
	unsigned int shift;

	if (!*rest)
		return number;
	unit = strchr(units, toupper((unsigned char)*rest));
	if (!unit || rest[1])
		usage_error("%s is bytes, or a number with K, M, G or T, not %s",
			    what, text);
	shift = 10 * (unit - units + 1);
	if (number > UINT64_MAX >> shift)
		usage_error("%s is too large: %s", what, text);
	return number << shift;
}

void parse_uuid(const char *text, __u8 *uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i, nibble = 0;

	if (strlen(text) != sizeof(form) - 1)
		usage_error("not a UUID: %s", text);
	memset(uuid, 0, BLKSNAP_UUID_SIZE);
	for (i = 0; form[i]; i++) {
		char digit[2] = { text[i], '\0' };

		if (form[i] == '-' ? text[i] != '-' :
				     !isxdigit((unsigned char)text[i]))
			usage_error("not a UUID: %s", text);
		if (form[i] == '-')
			continue;
		uuid[nibble / 2] |= strtoul(digit, NULL, 16)
				    << (nibble % 2 ? 0 : 4);
		nibble++;
	}
}
