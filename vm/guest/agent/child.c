// SPDX-License-Identifier: GPL-2.0
/*
 * The programs that run for the host: on pipes, or on a terminal of their own.
 *
 * Flow control: output of a program is read only while the queue towards the host is short, so one
 * that floods its stdout blocks in its own write(). What the host sends to its stdin waits here
 * until the program takes it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define ARGS_MAX		1024

struct child *children;

struct child *child_find(uint32_t id)
{
	struct child *c;

	for (c = children; c && c->id != id; c = c->next)
		;
	return c;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void child_forget(struct child *c)
{
	struct child **link;

	for (link = &children; *link != c; link = &(*link)->next)
		;
	*link = c->next;
	close_fd(&c->in);
	close_fd(&c->out[0]);
	close_fd(&c->out[1]);
	free(c->pending.data);
	free(c);
}

/* In the new process. Never returns. Failing to start says so on stderr and exits 127, as a shell. */
static void child_exec(char **argv, int in, int out, int err, int pty)
{
	sigset_t none;

	if (pty) {
		setsid();
		ioctl(in, TIOCSCTTY, 0);
	} else {
		setpgid(0, 0);
	}
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void child_start_failed(uint32_t id, const char *what)
{
	char text[256];
	int count = snprintf(text, sizeof(text), "agent: %s: %s\n", what, strerror(errno));

	send_frame(FRAME_STDERR, id, text, count);
	send_numbers(FRAME_EXIT, id, 2, 126, 0);
}

/* Both ends of a new terminal, the program's as its three streams and ours as two. Returns 0 or -1. */
static int open_pty(int in[2], int out[2], int err[2])
{
	const char *name;

	out[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (out[0] < 0 || grantpt(out[0]) || unlockpt(out[0]))
		return -1;
	name = ptsname(out[0]);
	in[0] = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	if (in[0] < 0)
		return -1;
	out[1] = fcntl(in[0], F_DUPFD_CLOEXEC, 0);
	err[1] = fcntl(in[0], F_DUPFD_CLOEXEC, 0);
	in[1] = fcntl(out[0], F_DUPFD_CLOEXEC, 0);
	return out[1] < 0 || err[1] < 0 || in[1] < 0 ? -1 : 0;
}

static int open_pipes(int no_stdin, int in[2], int out[2], int err[2])
{
	if (no_stdin)
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return (!no_stdin && pipe2(in, O_CLOEXEC)) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) ? -1 : 0;
}

void child_start(uint32_t id, unsigned char *payload, size_t count)
{
	static char *argv[ARGS_MAX + 1];
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int argc = 0, no_stdin, pty;
	struct child *c;
	char *p, *end;

	errno = EINVAL;
	if (count < 6 || payload[count - 1] != '\0')
		return child_start_failed(id, "malformed RUN");
	no_stdin = get_u32(payload) & RUN_NO_STDIN;
	pty = get_u32(payload) & RUN_PTY;
	end = (char *)payload + count;
	for (p = (char *)payload + 4; p < end; p += strlen(p) + 1) {
		if (argc == ARGS_MAX)
			return child_start_failed(id, "too many arguments");
		argv[argc++] = p;
	}
	argv[argc] = NULL;

	c = calloc(1, sizeof(*c));
	if (!c)
		die("out of memory");
	if ((pty ? open_pty(in, out, err) : open_pipes(no_stdin, in, out, err)) || (c->pid = fork()) < 0) {
		child_start_failed(id, argv[0]);
		close_fd(&in[0]);
		close_fd(&in[1]);
		close_fd(&out[0]);
		close_fd(&out[1]);
		close_fd(&err[0]);
		close_fd(&err[1]);
		free(c);
		return;
	}
	if (c->pid == 0)
		child_exec(argv, in[0], out[1], err[1], pty);
	/* Of a session leader to be, setsid() makes the group; it would fail for one that leads a group already. */
	if (!pty)
		setpgid(c->pid, c->pid);
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&err[1]);
	c->id = id;
	c->in = in[1];
	c->out[0] = out[0];
	c->out[1] = err[0];
	fcntl(c->out[0], F_SETFL, O_NONBLOCK);
	if (c->out[1] >= 0)
		fcntl(c->out[1], F_SETFL, O_NONBLOCK);
	if (c->in >= 0)
		fcntl(c->in, F_SETFL, O_NONBLOCK);
	c->next = children;
	children = c;
}

int child_read(struct child *c, int which)
{
	static unsigned char chunk[CHUNK_BYTES];
	ssize_t got;

	if (c->out[which] < 0)
		return 0;
	got = read(c->out[which], chunk, sizeof(chunk));
	if (got > 0) {
		send_frame(which ? FRAME_STDERR : FRAME_STDOUT, c->id, chunk, got);
		return 1;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&c->out[which]);
	return 0;
}

void child_feed(struct child *c)
{
	uint32_t taken = 0;
	ssize_t put;

	while (bytes_count(&c->pending)) {
		put = c->in < 0 ? -1 : write(c->in, c->pending.data + c->pending.start,
					     bytes_count(&c->pending));
		if (put < 0 && c->in >= 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (put < 0) {
			/* The reader is gone: drop the rest, so that the host's window opens again. */
			close_fd(&c->in);
			put = bytes_count(&c->pending);
		}
		c->pending.start += put;
		taken += put;
	}
	if (taken)
		send_numbers(FRAME_STDIN_ACK, c->id, 1, taken, 0);
	if (c->in_eof && !bytes_count(&c->pending))
		close_fd(&c->in);
}

/* A program is done when it has been reaped and its pipes hold nothing more. A daemon that it left
 * behind may keep the pipes open; it is not waited for.
 */
void children_finish(void)
{
	struct child *c, *next;

	for (c = children; c; c = next) {
		next = c->next;
		if (!c->exited)
			continue;
		while (host_takes_more() && (child_read(c, 0) | child_read(c, 1)))
			;
		if (!host_takes_more())
			return;
		if (WIFSIGNALED(c->status))
			send_numbers(FRAME_EXIT, c->id, 2, 128 + WTERMSIG(c->status), WTERMSIG(c->status));
		else
			send_numbers(FRAME_EXIT, c->id, 2, WEXITSTATUS(c->status), 0);
		child_forget(c);
	}
}

void children_reap(void)
{
	struct child *c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (c = children; c; c = c->next) {
			if (c->pid == pid && !c->exited) {
				c->exited = 1;
				c->status = status;
			}
		}
	}
}
