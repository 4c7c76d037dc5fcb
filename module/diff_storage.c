// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: difference storage.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blk-filter.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "diff_storage.h"
#include "params.h"

/* How often and how long to wait for memory before the snapshot is given up. */
#define NO_MEMORY_TRIES		100
#define NO_MEMORY_PAUSE_MS	100

/* One file serves one snapshot. */
static DEFINE_MUTEX(diff_storages_lock);
static LIST_HEAD(diff_storages);

static bool diff_storage_is_bdev(struct diff_storage *storage)
{
	return S_ISBLK(file_inode(storage->file)->i_mode);
}

/*
 * O_EXCL is not kept in f_flags. A block device that was opened with it has its
 * file as holder; an unnamed file that was opened without it can be linked. A
 * named file does not tell.
 */
static bool diff_storage_is_exclusive(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (S_ISBLK(inode->i_mode))
		return file->private_data == file;
	return inode->i_nlink || !(inode->i_state & I_LINKABLE);
}

/*
 * A descriptor may be handed over twice, and a named file may be opened twice.
 * Return: 0, -EBUSY if the file is the storage of another snapshot.
 */
static int diff_storage_claim(struct diff_storage *storage)
{
	struct diff_storage *other;
	int ret = 0;

	mutex_lock(&diff_storages_lock);
	list_for_each_entry(other, &diff_storages, link)
		if (other->inode == storage->inode)
			ret = -EBUSY;
	if (!ret)
		list_add(&storage->link, &diff_storages);
	mutex_unlock(&diff_storages_lock);
	return ret;
}

static void diff_storage_unclaim(struct diff_storage *storage)
{
	mutex_lock(&diff_storages_lock);
	list_del(&storage->link);
	mutex_unlock(&diff_storages_lock);
}

static int diff_storage_check_file(struct file *file)
{
	struct inode *inode = file_inode(file);
	fmode_t rw = FMODE_READ | FMODE_WRITE;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -EINVAL;
	if ((file->f_mode & rw) != rw || (file->f_flags & O_APPEND))
		return -EINVAL;
	if (!file->f_op->read_iter || !file->f_op->write_iter)
		return -EINVAL;
	if (IS_SWAPFILE(inode) || IS_IMMUTABLE(inode))
		return -EINVAL;
	if (!diff_storage_is_exclusive(file))
		return -EINVAL;
	return 0;
}

static bool diff_storage_is_cut(struct diff_storage *storage)
{
	unsigned long flags;
	sector_t capacity;

	if (diff_storage_is_bdev(storage))
		return false;
	spin_lock_irqsave(&storage->lock, flags);
	capacity = storage->capacity;
	spin_unlock_irqrestore(&storage->lock, flags);
	return i_size_read(storage->inode) < capacity << SECTOR_SHIFT;
}

/*
 * What somebody cuts off the file would be read as zeroes as soon as the next
 * chunk is written behind it. What was written through the page cache and did
 * not get to the device would be read as what is there instead. Neither passes.
 * Return: 0 or -EIO.
 */
static int diff_storage_check(struct diff_storage *storage)
{
	errseq_t *wb_err = &storage->inode->i_mapping->wb_err;

	if (READ_ONCE(storage->is_lost))
		return -EIO;
	if (!errseq_check(wb_err, storage->wb_err) &&
	    !diff_storage_is_cut(storage))
		return 0;
	if (!xchg(&storage->is_lost, true))
		pr_err("difference storage has lost what it had\n");
	return -EIO;
}

/*
 * A file system that has become read-only, by an error or in an emergency,
 * leaves its files open for writing, and relies on nobody doing it: ext4 warns.
 */
static bool diff_storage_is_read_only(struct diff_storage *storage)
{
	return sb_rdonly(storage->inode->i_sb);
}

static int diff_storage_fallocate(struct diff_storage *storage, int mode,
				  sector_t from, sector_t nr)
{
	if (diff_storage_is_read_only(storage))
		return -EROFS;
	return vfs_fallocate(storage->file, mode, from << SECTOR_SHIFT,
			     nr << SECTOR_SHIFT);
}

/*
 * Preallocate the next portion. What lies there already is not touched, so a
 * file that the user made large beforehand gets its holes filled.
 *
 * That there is no memory may pass: it is left to the caller to try again.
 */
static int diff_storage_grow(struct diff_storage *storage)
{
	sector_t nr = min(storage->portion, storage->limit - storage->capacity);
	unsigned int noio;
	int ret;

	/* It may fail and have got a part. */
	storage->asked = storage->capacity + nr;
	noio = memalloc_noio_save();
	ret = diff_storage_check(storage);
	if (!ret)
		ret = diff_storage_fallocate(storage, 0,
					     storage->capacity, nr);
	memalloc_noio_restore(noio);

	if (ret == -ENOMEM)
		return ret;
	spin_lock_irq(&storage->lock);
	if (!ret)
		storage->capacity += nr;
	if (ret || storage->capacity == storage->limit)
		storage->can_grow = false;
	storage->growing = false;
	spin_unlock_irq(&storage->lock);
	return ret;
}

static void diff_storage_give_up_growing(struct diff_storage *storage)
{
	spin_lock_irq(&storage->lock);
	storage->can_grow = false;
	storage->growing = false;
	spin_unlock_irq(&storage->lock);
}

static void diff_storage_grow_work(struct work_struct *work)
{
	struct diff_storage *storage = container_of(to_delayed_work(work),
						    struct diff_storage,
						    grow_work);
	int ret;

	ret = diff_storage_grow(storage);
	if (ret == -ENOMEM) {
		/* Those who wait for space wait a little longer. */
		if (storage->grow_tries++ < NO_MEMORY_TRIES) {
			queue_delayed_work(storage->grow_wq,
					   &storage->grow_work,
					   msecs_to_jiffies(NO_MEMORY_PAUSE_MS));
			return;
		}
		diff_storage_give_up_growing(storage);
	}
	storage->grow_tries = 0;
	if (ret)
		pr_warn("difference storage cannot grow beyond %llu sectors: %pe\n",
			(u64)storage->capacity, ERR_PTR(ret));
	storage->grown(storage->grown_arg);
}

static int diff_storage_init_file(struct diff_storage *storage)
{
	sector_t size;
	int ret;

	storage->size_at_start = i_size_read(file_inode(storage->file));
	storage->can_grow = true;
	ret = diff_storage_grow(storage);
	if (ret != -EOPNOTSUPP)
		return ret;

	/* It stays as it is, and is used as far as it reaches. */
	size = storage->size_at_start >> SECTOR_SHIFT;
	if (!size) {
		pr_err("difference storage is empty and its file system cannot preallocate\n");
		return ret;
	}
	storage->capacity = min(size, storage->limit);
	return 0;
}

/* Nobody comes to do it later: memory that this takes is waited for. */
static void diff_storage_give_space_back(struct diff_storage *storage)
{
	sector_t end = max(storage->asked, storage->capacity);
	unsigned int tries = NO_MEMORY_TRIES;
	int holes, ret;

	for (;;) {
		/* Holes that were filled, where the file system can do that. */
		holes = diff_storage_fallocate(storage,
					       FALLOC_FL_PUNCH_HOLE |
					       FALLOC_FL_KEEP_SIZE, 0, end);
		ret = vfs_truncate(&storage->file->f_path,
				   storage->size_at_start);
		if (holes == -ENOMEM && !ret)
			ret = holes;
		if (ret != -ENOMEM || !tries--)
			break;
		msleep(NO_MEMORY_PAUSE_MS);
	}
	if (ret)
		pr_warn("difference storage keeps its space: %pe\n",
			ERR_PTR(ret));
}

static void diff_storage_give_back(struct diff_storage *storage)
{
	if (!diff_storage_is_bdev(storage))
		diff_storage_give_space_back(storage);
	mapping_set_gfp_mask(storage->inode->i_mapping, storage->old_gfp);
	diff_storage_unclaim(storage);
	fput(storage->file);
}

/* The inode that has the data: not the one of an overlay, or of a node in /dev. */
static struct inode *diff_storage_inode(struct file *file)
{
	if (S_ISBLK(file_inode(file)->i_mode))
		return file->f_mapping->host;
	return d_real_inode(file->f_path.dentry);
}

/* tmpfs says that it can, and puts it into its pages all the same. */
static bool diff_storage_can_direct(struct diff_storage *storage)
{
	return (storage->file->f_mode & FMODE_CAN_ODIRECT) &&
	       storage->inode->i_sb->s_magic != TMPFS_MAGIC;
}

/*
 * Chunks go through the page cache. Its pages may not get free before they are
 * stored: let it fail rather than try forever.
 */
static void diff_storage_use_cache(struct diff_storage *storage)
{
	WRITE_ONCE(storage->writes_direct, false);
	mapping_set_gfp_mask(storage->inode->i_mapping,
			     storage->old_gfp | __GFP_RETRY_MAYFAIL |
			     __GFP_NOWARN);
}

struct diff_storage *diff_storage_create(int fd, sector_t limit,
					 void (*grown)(void *arg), void *arg)
{
	struct diff_storage *storage;
	int ret;

	if (!limit || limit > (LLONG_MAX >> SECTOR_SHIFT))
		return ERR_PTR(-EINVAL);

	storage = kzalloc(sizeof(*storage), GFP_KERNEL);
	if (!storage)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&storage->lock);
	INIT_DELAYED_WORK(&storage->grow_work, diff_storage_grow_work);
	storage->limit = limit;
	storage->portion = blksnap_diff_storage_minimum();
	storage->grown = grown;
	storage->grown_arg = arg;

	storage->file = fget(fd);
	if (!storage->file) {
		ret = -EBADF;
		goto out_free;
	}
	ret = diff_storage_check_file(storage->file);
	if (ret)
		goto out_fput;
	storage->grow_wq = alloc_workqueue("blksnap-grow",
					   WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!storage->grow_wq) {
		ret = -ENOMEM;
		goto out_fput;
	}
	storage->inode = diff_storage_inode(storage->file);
	ret = diff_storage_claim(storage);
	if (ret)
		goto out_wq;
	storage->old_gfp = mapping_gfp_mask(storage->inode->i_mapping);
	/* What failed before was somebody else's. */
	errseq_check_and_advance(&storage->inode->i_mapping->wb_err,
				 &storage->wb_err);
	if (diff_storage_can_direct(storage))
		storage->writes_direct = true;
	else
		diff_storage_use_cache(storage);

	if (diff_storage_is_bdev(storage))
		storage->capacity =
			min(limit, bdev_nr_sectors(file_bdev(storage->file)));
	else
		ret = diff_storage_init_file(storage);
	if (ret) {
		diff_storage_give_back(storage);
		destroy_workqueue(storage->grow_wq);
		goto out_free;
	}

	/* Ahead of what is read may be chunks that are not written yet. */
	vfs_fadvise(storage->file, 0, 0, POSIX_FADV_RANDOM);
	return storage;

out_wq:
	destroy_workqueue(storage->grow_wq);
out_fput:
	fput(storage->file);
out_free:
	kfree(storage);
	return ERR_PTR(ret);
}

void diff_storage_destroy(struct diff_storage *storage)
{
	cancel_delayed_work_sync(&storage->grow_work);
	destroy_workqueue(storage->grow_wq);
	diff_storage_give_back(storage);
	kfree(storage);
}

/* Whether a device or one of its partitions is in use by the file system. */
static bool bdev_is_of(struct block_device *bdev, struct super_block *sb)
{
	struct block_device *part;
	unsigned long idx;
	bool ret = false;

	if (READ_ONCE(bdev->bd_holder) == sb)
		return true;
	if (bdev_is_partition(bdev))
		return false;
	rcu_read_lock();
	xa_for_each(&bdev->bd_disk->part_tbl, idx, part)
		if (READ_ONCE(part->bd_holder) == sb)
			ret = true;
	rcu_read_unlock();
	return ret;
}

bool diff_storage_is_on(struct diff_storage *storage, struct block_device *bdev)
{
	struct super_block *sb = storage->inode->i_sb;

	if (diff_storage_is_bdev(storage))
		return blkfilter_is_below(bdev, I_BDEV(storage->inode));
	/* It may be the place of the log only. */
	return bdev_is_of(bdev, sb) ||
	       (sb->s_bdev && blkfilter_is_below(bdev, sb->s_bdev));
}

bool diff_storage_any_on(struct block_device *bdev)
{
	struct diff_storage *storage;
	bool ret = false;

	mutex_lock(&diff_storages_lock);
	list_for_each_entry(storage, &diff_storages, link)
		if (diff_storage_is_on(storage, bdev))
			ret = true;
	mutex_unlock(&diff_storages_lock);
	return ret;
}

int diff_storage_alloc(struct diff_storage *storage, sector_t nr,
		       sector_t *sector)
{
	unsigned long flags;
	bool grow = false;
	int ret = 0;

	nr = round_up(nr, PAGE_SECTORS);

	spin_lock_irqsave(&storage->lock, flags);
	if (nr <= storage->capacity - storage->used) {
		*sector = storage->used;
		storage->used += nr;
	} else {
		ret = storage->can_grow ? -EAGAIN : -ENOSPC;
	}
	if (storage->can_grow && !storage->growing &&
	    (ret || storage->capacity - storage->used < storage->portion / 2)) {
		storage->growing = true;
		grow = true;
	}
	spin_unlock_irqrestore(&storage->lock, flags);

	if (grow)
		queue_delayed_work(storage->grow_wq, &storage->grow_work, 0);
	return ret;
}

static int diff_storage_rw(struct diff_storage *storage, loff_t pos,
			   struct iov_iter *iter, bool direct)
{
	struct file *file = storage->file;
	size_t len = iov_iter_count(iter);
	struct kiocb iocb;
	ssize_t ret;

	/* Before, as a write may make long again what was cut. */
	ret = diff_storage_check(storage);
	if (ret)
		return ret;
	init_sync_kiocb(&iocb, file);
	iocb.ki_pos = pos;
	/* Who has opened the file may set this at any time. */
	iocb.ki_flags &= ~IOCB_APPEND;
	if (direct)
		iocb.ki_flags |= IOCB_DIRECT;
	else
		iocb.ki_flags &= ~IOCB_DIRECT;

	if (iov_iter_rw(iter) == WRITE) {
		if (diff_storage_is_read_only(storage))
			return -EROFS;
		file_start_write(file);
		ret = file->f_op->write_iter(&iocb, iter);
		file_end_write(file);
	} else {
		ret = file->f_op->read_iter(&iocb, iter);
	}
	if (ret < 0)
		return ret;
	return ret == len ? diff_storage_check(storage) : -EIO;
}

bool diff_storage_is_writing(void)
{
	/* The loop driver's workers have both set, too, and to the same end. */
	return (current->flags & PF_LOCAL_THROTTLE) &&
	       (current->flags & PF_MEMALLOC_NOIO);
}

static int diff_storage_write_once(struct diff_storage *storage, loff_t pos,
				   const struct bio_vec *bvec,
				   unsigned int nr_bvecs, size_t skip,
				   size_t len, bool direct)
{
	bool may_use_reserves = direct && S_ISBLK(storage->inode->i_mode);
	unsigned int reserves = 0;
	struct iov_iter iter;
	int ret;

	iov_iter_bvec(&iter, ITER_SOURCE, bvec, nr_bvecs, skip + len);
	iov_iter_advance(&iter, skip);
	/*
	 * Memory may not get free before this is written: take from the last
	 * reserves the little that is needed when no pages are. A file system
	 * may need more than a little, and has allocations that must not fail,
	 * which find reserves by themselves and may not be asked for with this.
	 */
	if (may_use_reserves)
		reserves = memalloc_noreclaim_save();
	ret = diff_storage_rw(storage, pos, &iter, direct);
	if (may_use_reserves)
		memalloc_noreclaim_restore(reserves);
	return ret;
}

int diff_storage_write(struct diff_storage *storage, loff_t pos,
		       const struct bio_vec *bvec, unsigned int nr_bvecs,
		       size_t skip, size_t len, bool direct)
{
	unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;
	unsigned int noio = memalloc_noio_save();
	unsigned int tries = NO_MEMORY_TRIES;
	int ret;

	/*
	 * Writing here lets others write. It must not wait for them, neither
	 * for memory nor for their dirty pages.
	 */
	current->flags |= PF_LOCAL_THROTTLE;
	for (;;) {
		bool past_cache = direct && READ_ONCE(storage->writes_direct);

		ret = diff_storage_write_once(storage, pos, bvec, nr_bvecs,
					      skip, len, past_cache);
		if (ret == -EINVAL && past_cache) {
			/* Its alignment asks for more than a page. */
			diff_storage_use_cache(storage);
			continue;
		}
		if (ret != -ENOMEM || !tries--)
			break;
		msleep(NO_MEMORY_PAUSE_MS);
	}
	current_restore_flags(throttle, PF_LOCAL_THROTTLE);
	memalloc_noio_restore(noio);
	return ret;
}

bool diff_storage_is_lost(struct diff_storage *storage)
{
	return READ_ONCE(storage->is_lost);
}

int diff_storage_sync(struct diff_storage *storage)
{
	unsigned int noio = memalloc_noio_save();
	int ret;

	ret = vfs_fsync(storage->file, 0);
	memalloc_noio_restore(noio);
	return ret;
}

int diff_storage_read(struct diff_storage *storage, loff_t pos,
		      const struct bio_vec *bvec, unsigned int nr_bvecs,
		      size_t skip, size_t len)
{
	unsigned int noio = memalloc_noio_save();
	unsigned int tries = NO_MEMORY_TRIES;
	int ret;

	for (;;) {
		struct iov_iter iter;

		iov_iter_bvec(&iter, ITER_DEST, bvec, nr_bvecs, skip + len);
		iov_iter_advance(&iter, skip);
		ret = diff_storage_rw(storage, pos, &iter, false);
		if (ret != -ENOMEM || !tries--)
			break;
		msleep(NO_MEMORY_PAUSE_MS);
	}
	memalloc_noio_restore(noio);
	return ret;
}
