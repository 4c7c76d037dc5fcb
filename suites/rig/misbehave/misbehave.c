// SPDX-License-Identifier: GPL-2.0
/*
 * misbehave: does one wrong thing when it is loaded, so that it is seen who notices.
 * Never undoes it.
 *
 *	insmod misbehave.ko deed=NAME
 */
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

static char *deed;
module_param(deed, charp, 0);
MODULE_PARM_DESC(deed, "what to do, see deeds[]");

/* What is kept for ever: kmemleak must not take these for lost. */
static void *kept;
static struct kmem_cache *cache;

struct thing {
	struct list_head link;
	struct timer_list timer;
	unsigned int words[8];
};

/* A call of its own, so that a trace names it. */
static noinline struct thing *new_thing(void)
{
	return kzalloc(sizeof(struct thing), GFP_KERNEL);
}

/* Each returns 0 when it was done. */

static int use_after_free(void)
{
	struct thing *thing = new_thing();

	if (!thing)
		return -ENOMEM;
	kfree(thing);
	return READ_ONCE(thing->words[3]) == 0xdead;
}

static int out_of_bounds(void)
{
	unsigned char *bytes = kmalloc(100, GFP_KERNEL);
	int beyond;

	if (!bytes)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(bytes);
	beyond = READ_ONCE(bytes[101]);
	kfree(bytes);
	return beyond == 0xdead;
}

static int wide_shift(void)
{
	int width = 40;

	OPTIMIZER_HIDE_VAR(width);
	return (1 << width) == 0xdead;
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int lock_inversion(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static int mutex_let_go(void)
{
	mutex_unlock(&first);
	return 0;
}

static int semaphore_let_go(void)
{
	static DECLARE_RWSEM(semaphore);

	up_write(&semaphore);
	return 0;
}

static DEFINE_SPINLOCK(never_taken);

static int spinlock_let_go(void)
	__releases(&never_taken)
{
	/* So that the preemption count is right, and only the lock is not. */
	preempt_disable();
	spin_unlock(&never_taken);
	return 0;
}

static int rcu_without_lock(void)
{
	static int __rcu *pointer;

	return rcu_dereference(pointer) ? -EINVAL : 0;
}

static int atomic_sleep(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
	return 0;
}

static void no_timer(struct timer_list *timer)
{
}

static int free_active_timer(void)
{
	struct thing *thing = new_thing();

	if (!thing)
		return -ENOMEM;
	timer_setup(&thing->timer, no_timer, 0);
	mod_timer(&thing->timer, jiffies + 3600 * HZ);
	kfree(thing);
	return 0;
}

static int lost_memory(void)
{
	return new_thing() ? 0 : -ENOMEM;
}

static noinline int lost_pages(void)
{
	return alloc_pages(GFP_KERNEL, 1) ? 0 : -ENOMEM;
}

static int list_twice(void)
{
	static LIST_HEAD(list);
	static struct list_head entry;

	list_add(&entry, &list);
	list_del(&entry);
	list_del(&entry);
	return 0;
}

static int reference_twice(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	refcount_dec(&count);
	return 0;
}

static int left_cache(void)
{
	cache = kmem_cache_create("misbehave", sizeof(struct thing), 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

static int cache_with_objects(void)
{
	int ret = left_cache();

	if (ret)
		return ret;
	kept = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_destroy(cache);
	return 0;
}

static int left_workqueue(void)
{
	kept = alloc_workqueue("misbehave", WQ_MEM_RECLAIM, 0);
	return kept ? 0 : -ENOMEM;
}

static int open_nameless_file(void)
{
	struct file *file = filp_open("/tmp", O_TMPFILE | O_RDWR, 0600);

	kept = file;
	return PTR_ERR_OR_ZERO(file);
}

static int claim_device(void)
{
	struct file *file = bdev_file_open_by_path("/dev/vdb", BLK_OPEN_READ, &kept, NULL);

	kept = file;
	return PTR_ERR_OR_ZERO(file);
}

static int leave_number(void)
{
	int ret = register_blkdev(0, "misbehave");

	return ret < 0 ? ret : 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} deeds[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "wide-shift", wide_shift },
	{ "lock-inversion", lock_inversion },
	{ "mutex-let-go", mutex_let_go },
	{ "semaphore-let-go", semaphore_let_go },
	{ "spinlock-let-go", spinlock_let_go },
	{ "rcu-without-lock", rcu_without_lock },
	{ "atomic-sleep", atomic_sleep },
	{ "free-active-timer", free_active_timer },
	{ "lost-memory", lost_memory },
	{ "lost-pages", lost_pages },
	{ "list-twice", list_twice },
	{ "reference-twice", reference_twice },
	{ "left-cache", left_cache },
	{ "cache-with-objects", cache_with_objects },
	{ "left-workqueue", left_workqueue },
	{ "left-number", leave_number },
	{ "nameless-file", open_nameless_file },
	{ "claimed-device", claim_device },
};

static int __init misbehave_init(void)
{
	for (size_t i = 0; deed && i < ARRAY_SIZE(deeds); i++)
		if (!strcmp(deed, deeds[i].name))
			return deeds[i].run();
	return -EINVAL;
}
module_init(misbehave_init);

/* What was done stays done. */
static void __exit misbehave_exit(void)
{
}
module_exit(misbehave_exit);

MODULE_DESCRIPTION("Does one wrong thing");
MODULE_LICENSE("GPL");
