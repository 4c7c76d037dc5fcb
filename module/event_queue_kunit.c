// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tests of the event queue.
 */
#include "event_queue.c"

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>

/* Far more than anything here takes; reached only by a wake-up that is lost. */
#define LOST_MS		20000

static struct event_queue *queue_of(struct kunit *test)
{
	return test->priv;
}

static void add(struct kunit *test, u32 code)
{
	struct event *event = event_alloc(code, 0);

	/* What comes next would wait for it. */
	KUNIT_ASSERT_NOT_NULL(test, event);
	event_queue_add(queue_of(test), event);
}

/* Takes an event that must be there, and be of this code. */
static void expect_event(struct kunit *test, u32 code)
{
	struct event *event = event_queue_wait(queue_of(test), 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR(event));
	KUNIT_EXPECT_EQ(test, event->code, code);
	kfree(event);
}

/* A thread that waits for an event. */
struct waiter {
	struct event_queue *queue;
	struct task_struct *task;
	struct completion is_done;
	u32 timeout_ms;
	/* Its code, or a negative errno. After is_done. */
	long result;
};

static int waiter_run(void *arg)
{
	struct waiter *waiter = arg;
	struct event *event;

	allow_signal(SIGUSR1);
	event = event_queue_wait(waiter->queue, waiter->timeout_ms);
	if (IS_ERR(event)) {
		waiter->result = PTR_ERR(event);
	} else {
		waiter->result = event->code;
		kfree(event);
	}
	complete(&waiter->is_done);

	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void waiter_stop(void *arg)
{
	struct waiter *waiter = arg;

	event_queue_close(waiter->queue);
	kthread_stop(waiter->task);
}

/* Starts a waiter; it sleeps in the queue when this returns. */
static struct waiter *wait_in_thread(struct kunit *test, u32 timeout_ms)
{
	struct waiter *waiter = kunit_kzalloc(test, sizeof(*waiter), GFP_KERNEL);
	unsigned long end = jiffies + msecs_to_jiffies(LOST_MS);

	KUNIT_ASSERT_NOT_NULL(test, waiter);
	init_completion(&waiter->is_done);
	waiter->queue = queue_of(test);
	waiter->timeout_ms = timeout_ms;
	waiter->task = kthread_run(waiter_run, waiter, "kunit_waiter");
	KUNIT_ASSERT_FALSE(test, IS_ERR(waiter->task));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, waiter_stop, waiter));

	while (READ_ONCE(waiter->task->__state) != TASK_INTERRUPTIBLE) {
		KUNIT_ASSERT_TRUE(test, time_before(jiffies, end));
		schedule_timeout_uninterruptible(1);
	}
	return waiter;
}

static void expect_end(struct kunit *test, struct waiter *waiter, long result)
{
	/* The result is there only then. */
	KUNIT_ASSERT_TRUE(test,
			  wait_for_completion_timeout(&waiter->is_done,
						      msecs_to_jiffies(LOST_MS)));
	KUNIT_EXPECT_EQ(test, waiter->result, result);
}

static void wait_should_give_events_in_order(struct kunit *test)
{
	u32 code;

	for (code = 1; code <= 100; code++)
		add(test, code);
	for (code = 1; code <= 100; code++)
		expect_event(test, code);
	KUNIT_EXPECT_EQ(test, PTR_ERR(event_queue_wait(queue_of(test), 0)),
			-ENOENT);
}

static void wait_should_time_out_after_the_time_and_not_before(struct kunit *test)
{
	ktime_t begin = ktime_get();

	KUNIT_EXPECT_EQ(test, PTR_ERR(event_queue_wait(queue_of(test), 100)),
			-ENOENT);
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), begin), 100);
}

static void wait_should_not_sleep_without_a_time_out(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(event_queue_wait(queue_of(test), 0)),
			-ENOENT);
}

static void wait_should_end_with_an_event_that_comes(struct kunit *test)
{
	struct waiter *waiter = wait_in_thread(test, 10 * LOST_MS);

	add(test, 7);
	expect_end(test, waiter, 7);
}

static void wait_should_bear_the_longest_time_out(struct kunit *test)
{
	struct waiter *waiter = wait_in_thread(test, U32_MAX);

	KUNIT_EXPECT_FALSE(test, completion_done(&waiter->is_done));
	add(test, 8);
	expect_end(test, waiter, 8);
}

static void wait_should_end_with_a_signal(struct kunit *test)
{
	struct waiter *waiter = wait_in_thread(test, 10 * LOST_MS);

	send_sig(SIGUSR1, waiter->task, 1);
	expect_end(test, waiter, -EINTR);
	/* The event that comes later is not lost with it. */
	add(test, 9);
	expect_event(test, 9);
}

static void wait_should_give_an_event_to_one_waiter_only(struct kunit *test)
{
	struct waiter *first = wait_in_thread(test, 10 * LOST_MS);
	struct waiter *second = wait_in_thread(test, 10 * LOST_MS);

	add(test, 5);
	add(test, 6);
	KUNIT_ASSERT_TRUE(test,
			  wait_for_completion_timeout(&first->is_done,
						      msecs_to_jiffies(LOST_MS)));
	KUNIT_ASSERT_TRUE(test,
			  wait_for_completion_timeout(&second->is_done,
						      msecs_to_jiffies(LOST_MS)));
	KUNIT_EXPECT_EQ(test, first->result + second->result, 5 + 6);
}

static void close_should_wake_all_waiters(struct kunit *test)
{
	struct waiter *first = wait_in_thread(test, 10 * LOST_MS);
	struct waiter *second = wait_in_thread(test, 10 * LOST_MS);

	event_queue_close(queue_of(test));
	expect_end(test, first, -ESRCH);
	expect_end(test, second, -ESRCH);
}

static void close_should_let_nobody_wait_any_more(struct kunit *test)
{
	add(test, 1);
	event_queue_close(queue_of(test));
	KUNIT_EXPECT_EQ(test, PTR_ERR(event_queue_wait(queue_of(test), LOST_MS)),
			-ESRCH);
}

static void return_should_make_an_event_the_oldest_again(struct kunit *test)
{
	struct event *event;

	add(test, 1);
	add(test, 2);
	event = event_queue_wait(queue_of(test), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(event));
	event_queue_return(queue_of(test), event);
	expect_event(test, 1);
	expect_event(test, 2);
}

static void return_should_wake_a_waiter(struct kunit *test)
{
	struct waiter *waiter;
	struct event *event;

	add(test, 3);
	event = event_queue_wait(queue_of(test), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(event));
	waiter = wait_in_thread(test, 10 * LOST_MS);
	event_queue_return(queue_of(test), event);
	expect_end(test, waiter, 3);
}

static void add_should_stamp_the_time_of_the_event(struct kunit *test)
{
	s64 before = ktime_get_real_ns();
	struct event *event;

	add(test, 1);
	event = event_queue_wait(queue_of(test), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(event));
	KUNIT_EXPECT_GE(test, event->time, before);
	KUNIT_EXPECT_LE(test, event->time, ktime_get_real_ns());
	kfree(event);
}

static void alloc_should_give_zeroed_room(struct kunit *test)
{
	struct event *event = event_alloc(4, 100);

	KUNIT_ASSERT_NOT_NULL(test, event);
	KUNIT_EXPECT_EQ(test, event->code, 4);
	KUNIT_EXPECT_EQ(test, event->size, 100);
	KUNIT_EXPECT_NULL(test, memchr_inv(event->data, 0, 100));
	kfree(event);
}

static int event_queue_test_init(struct kunit *test)
{
	struct event_queue *queue = kunit_kzalloc(test, sizeof(*queue), GFP_KERNEL);

	if (!queue)
		return -ENOMEM;
	event_queue_init(queue);
	test->priv = queue;
	return 0;
}

static void event_queue_test_exit(struct kunit *test)
{
	if (queue_of(test))
		event_queue_destroy(queue_of(test));
}

static struct kunit_case event_queue_cases[] = {
	/* EVT-02 */
	KUNIT_CASE(wait_should_give_events_in_order),
	/* EVT-01 */
	KUNIT_CASE(wait_should_time_out_after_the_time_and_not_before),
	KUNIT_CASE(wait_should_not_sleep_without_a_time_out),
	KUNIT_CASE(wait_should_end_with_an_event_that_comes),
	/* EVT-01 ABI-03 */
	KUNIT_CASE(wait_should_bear_the_longest_time_out),
	/* EVT-01 */
	KUNIT_CASE(wait_should_end_with_a_signal),
	KUNIT_CASE(wait_should_give_an_event_to_one_waiter_only),
	KUNIT_CASE(close_should_wake_all_waiters),
	KUNIT_CASE(close_should_let_nobody_wait_any_more),
	/* EVT-02 */
	KUNIT_CASE(return_should_make_an_event_the_oldest_again),
	/* EVT-01 */
	KUNIT_CASE(return_should_wake_a_waiter),
	/* EVT-02 */
	KUNIT_CASE(add_should_stamp_the_time_of_the_event),
	/* ABI-01 */
	KUNIT_CASE(alloc_should_give_zeroed_room),
	{}
};

static struct kunit_suite event_queue_suite = {
	.name = "blksnap_event_queue",
	.init = event_queue_test_init,
	.exit = event_queue_test_exit,
	.test_cases = event_queue_cases,
};

kunit_test_suite(event_queue_suite);
