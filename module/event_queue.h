/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: events of a snapshot, kept in order until somebody takes them.
 */
#ifndef BLKSNAP_EVENT_QUEUE_H
#define BLKSNAP_EVENT_QUEUE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/**
 * struct event_queue - events of a snapshot
 * @lock:	protects the rest; irq-safe
 * @events:	struct event, oldest first
 * @closed:	the snapshot is gone: waiters leave
 * @wait:	where waiters sleep
 */
struct event_queue {
	spinlock_t lock; /* irq-safe, for all below */
	struct list_head events;
	bool closed;
	wait_queue_head_t wait;
};

/**
 * struct event - something that happened
 * @link:	entry in the queue
 * @code:	one of enum blksnap_event_codes
 * @time:	CLOCK_REALTIME in nanoseconds
 * @size:	bytes of @data
 * @data:	what belongs to @code
 */
struct event {
	struct list_head link;
	u32 code;
	s64 time;
	size_t size;
	u8 data[];
};

/* Context: may sleep. Return: an event with room for @size bytes, or NULL. */
struct event *event_alloc(u32 code, size_t size);

void event_queue_init(struct event_queue *queue);

/* Free the events that nobody took. */
void event_queue_destroy(struct event_queue *queue);

/* Stamp the event and hand it over to the queue. Context: any. */
void event_queue_add(struct event_queue *queue, struct event *event);

/* Give back an event that could not be delivered: it is the oldest again. */
void event_queue_return(struct event_queue *queue, struct event *event);

/* Wake all waiters with -ESRCH, and let nobody wait any more. */
void event_queue_close(struct event_queue *queue);

/*
 * Take the oldest event, waiting for it at least @timeout_ms milliseconds, and
 * not at all if that is 0.
 * Context: sleeps. Return: the event, now the caller's to kfree(), or an
 * ERR_PTR(): -ENOENT on time-out, -EINTR on a signal, -ESRCH if closed.
 */
struct event *event_queue_wait(struct event_queue *queue, u32 timeout_ms);

#endif /* BLKSNAP_EVENT_QUEUE_H */
