/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the agent's parts know of each other, and the frames that the host knows too.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum frame_type {
	FRAME_RUN = 1,		/* payload: u32 flags, then NUL-terminated arguments */
	FRAME_STDIN = 2,
	FRAME_STDIN_EOF = 3,
	FRAME_SIGNAL = 4,	/* payload: u32 signal number; goes to the process group */
	FRAME_PING = 5,		/* answered after the kernel log has been drained */
	FRAME_STDOUT = 16,
	FRAME_STDERR = 17,
	FRAME_EXIT = 18,	/* payload: u32 exit code, u32 signal (0 if none) */
	FRAME_KLOG = 19,	/* payload: one record as /dev/kmsg gives it */
	FRAME_PONG = 20,
	FRAME_STDIN_ACK = 21,	/* payload: u32 bytes the program took, or that were dropped */
};

/* Flags of FRAME_RUN. */
#define RUN_NO_STDIN		1u
#define RUN_PTY			2u	/* a terminal is all three of its streams; answers come as stdout */

#define CHUNK_BYTES		32768

/* bytes.c: a queue of bytes that grows. */
struct bytes {
	unsigned char *data;
	size_t start;		/* first byte not yet consumed */
	size_t end;
	size_t room;
};

void bytes_reserve(struct bytes *b, size_t more);
void bytes_append(struct bytes *b, const void *data, size_t count);
size_t bytes_count(const struct bytes *b);
uint32_t get_u32(const unsigned char *p);
void put_u32(unsigned char *p, uint32_t v);

/* agent.c: the channel. */
void send_frame(enum frame_type type, uint32_t id, const void *payload, size_t count);
void send_numbers(enum frame_type type, uint32_t id, int count, uint32_t a, uint32_t b);
/* Whether the queue towards the host is short: output of programs is read only then. */
int host_takes_more(void);

/* child.c: the programs that run for the host. */
struct child {
	struct child *next;
	uint32_t id;
	pid_t pid;		/* also its process group */
	int in;			/* our ends of its pipes, -1 once closed */
	int out[2];		/* stdout, stderr */
	int exited;
	int status;
	int in_eof;		/* close `in` once `pending` has been written */
	struct bytes pending;
};

extern struct child *children;

struct child *child_find(uint32_t id);
/* From the payload of FRAME_RUN. Failing to start is an answer: a line on stderr, and FRAME_EXIT. */
void child_start(uint32_t id, unsigned char *payload, size_t count);
/* Reads one chunk of a program's output. Returns 0 when there is nothing more for now. */
int child_read(struct child *c, int which);
/* Gives a program what waits for its stdin, as far as it takes it. */
void child_feed(struct child *c);
/* Takes the status of those that have ended. */
void children_reap(void);
/* Tells the host of those that are done, and forgets them. */
void children_finish(void);

/* setup.c: what a machine needs before programs can run. */
void mount_all(void);
void environment(void);
void write_text(const char *path, const char *text);
/* Opens the control port of this name; it may take a moment to appear. */
int port_open(const char *name);
/* Ends the machine with a line on the console: init must not return. */
void die(const char *what) __attribute__((noreturn));

#endif
