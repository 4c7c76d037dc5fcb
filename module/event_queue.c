// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: events of a snapshot.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "event_queue.h"

struct event *event_alloc(u32 code, size_t size)
{
	struct event *event;

	event = kzalloc(struct_size(event, data, size), GFP_KERNEL);
	if (event) {
		event->code = code;
		event->size = size;
	}
	return event;
}

void event_queue_init(struct event_queue *queue)
{
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->events);
	init_waitqueue_head(&queue->wait);
	queue->closed = false;
}

void event_queue_destroy(struct event_queue *queue)
{
	struct event *event, *next;

	list_for_each_entry_safe(event, next, &queue->events, link)
		kfree(event);
	INIT_LIST_HEAD(&queue->events);
}

void event_queue_add(struct event_queue *queue, struct event *event)
{
	unsigned long flags;

	event->time = ktime_get_real_ns();
	spin_lock_irqsave(&queue->lock, flags);
	list_add_tail(&event->link, &queue->events);
	spin_unlock_irqrestore(&queue->lock, flags);
	wake_up(&queue->wait);
}

void event_queue_return(struct event_queue *queue, struct event *event)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	list_add(&event->link, &queue->events);
	spin_unlock_irqrestore(&queue->lock, flags);
	wake_up(&queue->wait);
}

void event_queue_close(struct event_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->closed = true;
	spin_unlock_irqrestore(&queue->lock, flags);
	wake_up_all(&queue->wait);
}

/* Return: the oldest event, NULL if there is none, -ESRCH if closed. */
static struct event *event_queue_pop(struct event_queue *queue)
{
	struct event *event;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (queue->closed) {
		event = ERR_PTR(-ESRCH);
	} else {
		event = list_first_entry_or_null(&queue->events, struct event,
						 link);
		if (event)
			list_del(&event->link);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return event;
}

struct event *event_queue_wait(struct event_queue *queue, u32 timeout_ms)
{
	struct event *event = NULL;
	int ret;

	if (!timeout_ms)
		return event_queue_pop(queue) ?: ERR_PTR(-ENOENT);
	/* Not in jiffies: late ticks are made up for, and it would be shorter. */
	ret = wait_event_interruptible_hrtimeout(queue->wait,
						 (event = event_queue_pop(queue)),
						 ms_to_ktime(timeout_ms));
	if (event)
		return event;
	return ERR_PTR(ret == -ERESTARTSYS ? -EINTR : -ENOENT);
}
