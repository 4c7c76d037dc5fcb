// SPDX-License-Identifier: GPL-2.0
/*
 * The agent: init of the guest, and the guest's end of the control channel.
 *
 * It runs programs for the host and streams what they say. Everything else the host wants done in
 * a guest is done by running a small tool, so that the agent stays small. This file has the channel
 * and the loop; child.c the programs, setup.c what comes before.
 *
 * Frames (little endian): u32 payload length, u8 type, u8[3] zero, u32 run id, then the payload.
 * vm/guest/frames.ts is the other side; both list the same types.
 *
 * Flow control: output of programs is read only while the queue towards the host is short, so a
 * program that floods its stdout blocks in its own write(). Towards a program, the host keeps at
 * most STDIN_WINDOW_BYTES unacknowledged in flight and the agent acknowledges what the program
 * took, so a program that never reads its stdin cannot stop signals to it, or other programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"

#define HEADER_BYTES		12
#define PAYLOAD_BYTES_MAX	(1u << 20)
#define OUT_BYTES_HIGH		(256u << 10)

static struct bytes to_host, from_host;
static int port_fd = -1, kmsg_fd = -1, signal_fd = -1;

void send_frame(enum frame_type type, uint32_t id, const void *payload, size_t count)
{
	unsigned char header[HEADER_BYTES] = { 0 };

	put_u32(header, count);
	header[4] = type;
	put_u32(header + 8, id);
	bytes_append(&to_host, header, sizeof(header));
	bytes_append(&to_host, payload, count);
}

void send_numbers(enum frame_type type, uint32_t id, int count, uint32_t a, uint32_t b)
{
	unsigned char payload[8];

	put_u32(payload, a);
	put_u32(payload + 4, b);
	send_frame(type, id, payload, count * 4);
}

int host_takes_more(void)
{
	return bytes_count(&to_host) < OUT_BYTES_HIGH;
}

static void klog_drain(void)
{
	char record[8192];
	ssize_t got;

	for (;;) {
		got = read(kmsg_fd, record, sizeof(record));
		if (got > 0)
			send_frame(FRAME_KLOG, 0, record, got);
		else if (got < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* EPIPE: records are missing, as the host sees by their numbers */
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

static void poll_once(void)
{
	static struct pollfd fds[3 + 3 * 256];
	struct signalfd_siginfo info;
	struct child *c, *next;
	int count = 0, quiet;

	fds[count++] = (struct pollfd){ .fd = port_fd, .events = POLLIN };
	if (bytes_count(&to_host))
		fds[0].events |= POLLOUT;
	fds[count++] = (struct pollfd){ .fd = kmsg_fd, .events = POLLIN };
	fds[count++] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	quiet = host_takes_more();
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
	if (fds[2].revents) {
		while (read(signal_fd, &info, sizeof(info)) > 0)
			;
		children_reap();
	}
	if (fds[0].revents & POLLIN)
		port_read();
	for (c = children; c; c = next) {
		next = c->next;
		child_feed(c);
		if (!c->exited && host_takes_more()) {
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
