// SPDX-License-Identifier: GPL-2.0
/*
 * The agent: init of the guest, and the guest's end of the control channel.
 *
 * It runs programs for the host and streams what they say. Everything else the host wants done in
 * a guest is done by running a small tool, so that this file stays small.
 *
 * Frames (little endian): u32 payload length, u8 type, u8[3] zero, u32 run id, then the payload.
 * vm/guest/frames.ts is the other side; both list the same types.
 *
 * Flow control: output of programs is read only while the queue towards the host is short, so a
 * program that floods its stdout blocks in its own write(). Towards a program, the host keeps at
 * most STDIN_WINDOW unacknowledged bytes in flight and the agent acknowledges what the program
 * took, so a program that never reads its stdin cannot stop signals to it, or other programs.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define RUN_NO_STDIN		1u
#define RUN_PTY			2u	/* a terminal is all three of its streams; answers come as stdout */
#define HEADER_BYTES		12
#define PAYLOAD_BYTES_MAX	(1u << 20)
#define CHUNK_BYTES		32768
#define OUT_BYTES_HIGH		(256u << 10)
#define STDIN_WINDOW		(256u << 10)
#define ARGS_MAX		1024

struct bytes {
	unsigned char *data;
	size_t start;		/* first byte not yet consumed */
	size_t end;
	size_t room;
};

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

static struct child *children;
static struct bytes to_host, from_host;
static int port_fd = -1, kmsg_fd = -1, signal_fd = -1;

static void die(const char *what)
{
	dprintf(2, "agent: %s: %s\n", what, strerror(errno));
	sync();
	/* init must not return: the kernel would panic with a less useful message. */
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void bytes_reserve(struct bytes *b, size_t more)
{
	if (b->start == b->end)
		b->start = b->end = 0;
	if (b->end + more <= b->room)
		return;
	if (b->start) {
		memmove(b->data, b->data + b->start, b->end - b->start);
		b->end -= b->start;
		b->start = 0;
	}
	if (b->end + more > b->room) {
		b->room = (b->end + more) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			die("out of memory");
	}
}

static void bytes_append(struct bytes *b, const void *data, size_t count)
{
	bytes_reserve(b, count);
	memcpy(b->data + b->end, data, count);
	b->end += count;
}

static size_t bytes_count(const struct bytes *b)
{
	return b->end - b->start;
}

static uint32_t get_u32(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_u32(unsigned char *p, uint32_t v)
{
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}

static void send_frame(enum frame_type type, uint32_t id, const void *payload, size_t count)
{
	unsigned char header[HEADER_BYTES] = { 0 };

	put_u32(header, count);
	header[4] = type;
	put_u32(header + 8, id);
	bytes_append(&to_host, header, sizeof(header));
	bytes_append(&to_host, payload, count);
}

static void send_numbers(enum frame_type type, uint32_t id, int count, uint32_t a, uint32_t b)
{
	unsigned char payload[8];

	put_u32(payload, a);
	put_u32(payload + 4, b);
	send_frame(type, id, payload, count * 4);
}

/* Children ------------------------------------------------------------------------------------ */

static struct child *child_find(uint32_t id)
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

static void child_start(uint32_t id, unsigned char *payload, size_t count)
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

/* Reads one chunk of a program's output. Returns 0 when there is nothing more for now. */
static int child_read(struct child *c, int which)
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

static void child_feed(struct child *c)
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
static void children_finish(void)
{
	struct child *c, *next;

	for (c = children; c; c = next) {
		next = c->next;
		if (!c->exited)
			continue;
		while (bytes_count(&to_host) < OUT_BYTES_HIGH && (child_read(c, 0) | child_read(c, 1)))
			;
		if (bytes_count(&to_host) >= OUT_BYTES_HIGH)
			return;
		if (WIFSIGNALED(c->status))
			send_numbers(FRAME_EXIT, c->id, 2, 128 + WTERMSIG(c->status), WTERMSIG(c->status));
		else
			send_numbers(FRAME_EXIT, c->id, 2, WEXITSTATUS(c->status), 0);
		child_forget(c);
	}
}

static void children_reap(void)
{
	struct signalfd_siginfo info;
	struct child *c;
	int status;
	pid_t pid;

	while (read(signal_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (c = children; c; c = c->next) {
			if (c->pid == pid && !c->exited) {
				c->exited = 1;
				c->status = status;
			}
		}
	}
}

/* The channel --------------------------------------------------------------------------------- */

static void klog_drain(void)
{
	char record[8192];
	ssize_t got;

	for (;;) {
		got = read(kmsg_fd, record, sizeof(record));
		if (got > 0)
			send_frame(FRAME_KLOG, 0, record, got);
		else if (got < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* EPIPE: overwritten records were skipped */
		else
			return;
	}
}

static void handle_frame(enum frame_type type, uint32_t id, unsigned char *payload, size_t count)
{
	struct child *c = child_find(id);

	switch (type) {
	case FRAME_RUN:
		child_start(id, payload, count);
		break;
	case FRAME_STDIN:
		if (c) {
			bytes_append(&c->pending, payload, count);
			child_feed(c);
		}
		break;
	case FRAME_STDIN_EOF:
		if (c) {
			c->in_eof = 1;
			child_feed(c);
		}
		break;
	case FRAME_SIGNAL:
		if (c && count >= 4)
			kill(-c->pid, get_u32(payload));
		break;
	case FRAME_PING:
		klog_drain();
		send_frame(FRAME_PONG, id, payload, count);
		break;
	default:
		break;
	}
}

static void port_read(void)
{
	unsigned char *head;
	size_t count;
	ssize_t got;

	bytes_reserve(&from_host, CHUNK_BYTES);
	got = read(port_fd, from_host.data + from_host.end, CHUNK_BYTES);
	if (got <= 0)
		return;
	from_host.end += got;
	while (bytes_count(&from_host) >= HEADER_BYTES) {
		head = from_host.data + from_host.start;
		count = get_u32(head);
		if (count > PAYLOAD_BYTES_MAX) {
			errno = EPROTO;
			die("frame too long");
		}
		if (bytes_count(&from_host) < HEADER_BYTES + count)
			break;
		handle_frame(head[4], get_u32(head + 8), head + HEADER_BYTES, count);
		from_host.start += HEADER_BYTES + count;
	}
}

static void port_write(void)
{
	ssize_t put;

	while (bytes_count(&to_host)) {
		put = write(port_fd, to_host.data + to_host.start,
			    bytes_count(&to_host) > CHUNK_BYTES ? CHUNK_BYTES : bytes_count(&to_host));
		if (put <= 0)
			return;
		to_host.start += put;
	}
}

static int port_open(const char *name)
{
	char path[300], found[64];
	struct dirent *entry;
	DIR *dir;
	int tries, fd;

	/* The port appears once its driver has asked the device; without a udev, look again. */
	for (tries = 0; tries < 2000; tries++) {
		dir = opendir("/sys/class/virtio-ports");
		while (dir && (entry = readdir(dir))) {
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			memset(found, 0, sizeof(found));
			if (read(fd, found, sizeof(found) - 1) < 0)
				found[0] = '\0';
			close(fd);
			found[strcspn(found, "\n")] = '\0';
			if (strcmp(found, name))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		usleep(1000);
	}
	errno = ENODEV;
	die("no control port");
	return -1;
}

/* Start-up ------------------------------------------------------------------------------------ */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Optional knobs: a kernel without one is no reason to stop. */
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		dprintf(2, "agent: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Each mount of these makes a new one, so a second would hide the first. */
static int has_own(const char *type, const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return 0;
	return (!strcmp(type, "tmpfs") && fs.f_type == TMPFS_MAGIC) ||
	       (!strcmp(type, "devpts") && fs.f_type == DEVPTS_SUPER_MAGIC);
}

static void mount_all(void)
{
	static const struct {
		const char *type, *where, *data;
	} table[] = {
		{ "proc", "/proc", NULL },
		{ "sysfs", "/sys", NULL },
		{ "devtmpfs", "/dev", NULL },
		{ "devpts", "/dev/pts", "mode=620,ptmxmode=666" },
		{ "tmpfs", "/tmp", "mode=1777" },
		{ "tmpfs", "/run", NULL },
		{ "tmpfs", "/mnt", NULL },
		{ "debugfs", "/sys/kernel/debug", NULL },
		{ "configfs", "/sys/kernel/config", NULL },
		{ "cgroup2", "/sys/fs/cgroup", NULL },
	};
	size_t i;

	/* What this kernel lacks, or has mounted already, is passed over: under virtme-ng its init came before us. */
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strcmp(table[i].type, "devpts"))
			mkdir(table[i].where, 0755);
		if (!has_own(table[i].type, table[i].where))
			mount(table[i].type, table[i].where, table[i].type, 0, table[i].data);
	}
}

static void environment(void)
{
	struct rlimit files = { 65536, 65536 };

	/* What virtme-ng's init was given must not reach programs. */
	clearenv();
	/* Under virtme-ng (vm/boot/vng/hook.ts) our tools are in a folder of their own, and so is what the host may lack. */
	setenv("PATH", "/run/tools:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/fallback", 1);
	setenv("HOME", "/tmp", 1);
	setenv("TMPDIR", "/tmp", 1);
	setenv("LC_ALL", "C", 1);
	setenv("TERM", "dumb", 1);
	/* There is no udev: libdevmapper must make its own nodes. */
	setenv("DM_DISABLE_UDEV", "1", 1);
	setrlimit(RLIMIT_NOFILE, &files);
	umask(022);
	if (chdir("/tmp"))
		die("/tmp");
}

static void poll_once(void)
{
	static struct pollfd fds[3 + 3 * 256];
	struct child *c, *next;
	int count = 0, quiet;

	fds[count++] = (struct pollfd){ .fd = port_fd, .events = POLLIN };
	if (bytes_count(&to_host))
		fds[0].events |= POLLOUT;
	fds[count++] = (struct pollfd){ .fd = kmsg_fd, .events = POLLIN };
	fds[count++] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	quiet = bytes_count(&to_host) < OUT_BYTES_HIGH;
	for (c = children; c && count < 3 + 3 * 255; c = c->next) {
		if (c->out[0] >= 0 && quiet && !c->exited)
			fds[count++] = (struct pollfd){ .fd = c->out[0], .events = POLLIN };
		if (c->out[1] >= 0 && quiet && !c->exited)
			fds[count++] = (struct pollfd){ .fd = c->out[1], .events = POLLIN };
		if (c->in >= 0 && bytes_count(&c->pending))
			fds[count++] = (struct pollfd){ .fd = c->in, .events = POLLOUT };
	}
	if (poll(fds, count, -1) < 0 && errno != EINTR)
		die("poll");
	/* Host away (it never is while a run lasts): do not spin on POLLHUP. */
	if ((fds[0].revents & POLLHUP) && !(fds[0].revents & POLLIN))
		usleep(5000);
	if (fds[1].revents)
		klog_drain();
	if (fds[2].revents)
		children_reap();
	if (fds[0].revents & POLLIN)
		port_read();
	for (c = children; c; c = next) {
		next = c->next;
		child_feed(c);
		if (!c->exited && bytes_count(&to_host) < OUT_BYTES_HIGH) {
			child_read(c, 0);
			child_read(c, 1);
		}
	}
	children_finish();
	port_write();
}

int main(int argc, char **argv)
{
	sigset_t mask;
	int console;

	mount_all();
	console = open("/dev/console", O_RDWR | O_CLOEXEC);
	if (console >= 0) {
		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
	}
	environment();
	/* The console is the guest's last word when this process can no longer speak: let it have all. */
	write_text("/proc/sys/kernel/printk", "8 4 1 8");
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (signal_fd < 0 || kmsg_fd < 0)
		die("start");
	port_fd = port_open(argc > 1 ? argv[1] : "agent");
	/* The accelerator probe waits for this line. */
	dprintf(2, "agent: ready\n");
	for (;;)
		poll_once();
}
