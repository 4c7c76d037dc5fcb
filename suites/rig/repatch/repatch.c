// SPDX-License-Identifier: GPL-2.0
/*
 * repatch: changes code that another CPU is running, and looks whether it still runs
 * what was there before. Does so when it is loaded; -EILSEQ when it did.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

/* Runs of the code after a change, the last of which has to know it. */
#define RUNS_AFTER	20

static unsigned int rounds;
module_param(rounds, uint, 0);
MODULE_PARM_DESC(rounds, "how many times the code is changed");

static DEFINE_STATIC_KEY_FALSE(is_on);
static unsigned long runs;
static bool seen;

static noinline bool see(void)
{
	if (static_branch_unlikely(&is_on))
		return true;
	return false;
}

static int look(void *unused)
{
	while (!kthread_should_stop()) {
		WRITE_ONCE(seen, see());
		WRITE_ONCE(runs, runs + 1);
		cond_resched();
	}
	return 0;
}

static void change(bool on)
{
	unsigned long from;

	if (on)
		static_branch_enable(&is_on);
	else
		static_branch_disable(&is_on);
	from = READ_ONCE(runs);
	while (READ_ONCE(runs) - from < RUNS_AFTER)
		cond_resched();
}

static int __init repatch_init(void)
{
	struct task_struct *looker;
	unsigned int i, stale = 0;

	if (!cpu_online(1))
		return -ENODEV;
	looker = kthread_create(look, NULL, "repatch");
	if (IS_ERR(looker))
		return PTR_ERR(looker);
	kthread_bind(looker, 1);
	wake_up_process(looker);
	for (i = 1; i <= rounds; i++) {
		change(i & 1);
		stale += READ_ONCE(seen) != (i & 1);
	}
	kthread_stop(looker);
	if (stale)
		pr_err("%u of %u changes were not seen\n", stale, rounds);
	return stale ? -EILSEQ : 0;
}
module_init(repatch_init);

static void __exit repatch_exit(void)
{
}
module_exit(repatch_exit);

MODULE_DESCRIPTION("Changes code that another CPU is running");
MODULE_LICENSE("GPL");
