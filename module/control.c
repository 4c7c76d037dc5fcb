// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: control device /dev/blksnap-control. Each command needs
 * CAP_SYS_ADMIN, whoever has opened the descriptor.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/blksnap.h>
#include "control.h"
#include "event_queue.h"
#include "snapshot.h"
#include "version.h"

static_assert(sizeof(struct blksnap_snapshot_event) == 4096);
static_assert(sizeof(uuid_t) == BLKSNAP_UUID_SIZE);

static int control_version(void __user *arg)
{
	const struct blksnap_version version = {
		.major = BLKSNAP_VERSION_MAJOR,
		.minor = BLKSNAP_VERSION_MINOR,
		.revision = BLKSNAP_VERSION_REVISION,
		.build = BLKSNAP_VERSION_BUILD,
	};

	return copy_to_user(arg, &version, sizeof(version)) ? -EFAULT : 0;
}

static int control_create(void __user *arg)
{
	struct blksnap_snapshot_create create;
	uuid_t id;
	int ret;

	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	ret = snapshot_create(create.diff_storage_fd,
			      create.diff_storage_limit_sect, &id);
	if (ret)
		return ret;
	export_uuid(create.id, &id);
	if (copy_to_user(arg, &create, sizeof(create))) {
		/* Nobody would ever know its name. */
		snapshot_destroy(&id);
		return -EFAULT;
	}
	return 0;
}

static int control_get_id(void __user *arg, uuid_t *id)
{
	struct blksnap_uuid raw;

	if (copy_from_user(&raw, arg, sizeof(raw)))
		return -EFAULT;
	import_uuid(id, raw.b);
	return 0;
}

static int control_destroy(void __user *arg)
{
	uuid_t id;
	int ret;

	ret = control_get_id(arg, &id);
	return ret ? ret : snapshot_destroy(&id);
}

static int control_take(void __user *arg)
{
	uuid_t id;
	int ret;

	ret = control_get_id(arg, &id);
	return ret ? ret : snapshot_take(&id);
}

static int control_collect(void __user *arg)
{
	struct blksnap_snapshot_collect collect;
	unsigned int room, nr;
	uuid_t *ids;
	int ret = 0;

	if (copy_from_user(&collect, arg, sizeof(collect)))
		return -EFAULT;

again:
	/* The room may be absurd, the number of snapshots is not. */
	ids = NULL;
	room = min(collect.count, snapshot_collect(NULL, 0));
	if (room) {
		ids = kvmalloc_array(room, sizeof(*ids), GFP_KERNEL);
		if (!ids)
			return -ENOMEM;
	}
	nr = snapshot_collect(ids, room);
	if (nr > room && nr <= collect.count) {
		/* One more was created meanwhile, and there is room for it. */
		kvfree(ids);
		goto again;
	}
	if (nr > room)
		ret = -ENODATA;
	else if (nr && copy_to_user(u64_to_user_ptr(collect.ids), ids,
				    nr * sizeof(*ids)))
		ret = -EFAULT;
	kvfree(ids);

	collect.count = nr;
	if (ret != -EFAULT && copy_to_user(arg, &collect, sizeof(collect)))
		ret = -EFAULT;
	return ret;
}

struct delivery {
	struct blksnap_snapshot_event *event;
	void __user *arg;
};

static int control_deliver(struct event *event, void *arg)
{
	struct delivery *delivery = arg;

	delivery->event->code = event->code;
	delivery->event->time_label = event->time;
	memset(delivery->event->data, 0, sizeof(delivery->event->data));
	memcpy(delivery->event->data, event->data, event->size);
	return copy_to_user(delivery->arg, delivery->event,
			    sizeof(*delivery->event)) ? -EFAULT : 0;
}

static int control_wait_event(void __user *arg)
{
	struct delivery delivery = { .arg = arg };
	uuid_t id;
	int ret;

	delivery.event = kzalloc(sizeof(*delivery.event), GFP_KERNEL);
	if (!delivery.event)
		return -ENOMEM;
	if (copy_from_user(delivery.event, arg,
			   offsetofend(struct blksnap_snapshot_event,
				       timeout_ms))) {
		ret = -EFAULT;
	} else {
		import_uuid(&id, delivery.event->id);
		ret = snapshot_wait_event(&id, delivery.event->timeout_ms,
					  control_deliver, &delivery);
	}
	kfree(delivery.event);
	return ret;
}

static long control_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	switch (cmd) {
	case IOCTL_BLKSNAP_VERSION:
		return control_version(argp);
	case IOCTL_BLKSNAP_SNAPSHOT_CREATE:
		return control_create(argp);
	case IOCTL_BLKSNAP_SNAPSHOT_DESTROY:
		return control_destroy(argp);
	case IOCTL_BLKSNAP_SNAPSHOT_TAKE:
		return control_take(argp);
	case IOCTL_BLKSNAP_SNAPSHOT_COLLECT:
		return control_collect(argp);
	case IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT:
		return control_wait_event(argp);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice control_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = BLKSNAP_CTL,
	.fops = &control_fops,
	.mode = 0600,
};

int control_init(void)
{
	return misc_register(&control_device);
}

void control_exit(void)
{
	misc_deregister(&control_device);
}
