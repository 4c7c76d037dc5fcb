// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: tests of the difference storage: how space is handed out, when it
 * grows, and what it may be.
 */
#include "diff_storage.c"

#include <kunit/test.h>
#include <linux/shmem_fs.h>

/* In sectors. A page is 8. */
#define PORTION		1024
#define LIMIT		(3 * PORTION - 24)

/**
 * struct storage_test - a storage and what it asked for
 * @storage:	the storage; @grow_work only counts, unless a test says otherwise
 * @grow_asked:	times that growing was asked for
 * @grow_task:	who ran it
 * @grown:	times that the end of growing was told
 * @writes:	times that the file was written to, if it is a spy
 * @direct_writes: those past the page cache
 * @was_writing: the file's owner could tell that it is written to
 * @was_appending: it went to the end of the file, wherever it was to go
 * @shortfall:	bytes that the spy leaves out
 * @refuses_direct: the spy cannot write past the page cache
 */
struct storage_test {
	struct diff_storage storage;
	unsigned int grow_asked;
	struct task_struct *grow_task;
	unsigned int grown;
	unsigned int writes;
	unsigned int direct_writes;
	bool was_writing;
	bool was_appending;
	size_t shortfall;
	bool refuses_direct;
};

static struct storage_test *priv_of(struct kunit *test)
{
	return test->priv;
}

static struct diff_storage *storage_of(struct kunit *test)
{
	return &priv_of(test)->storage;
}

/* Stands in for the growing of a file. */
static void count_grow(struct work_struct *work)
{
	struct storage_test *priv = container_of(to_delayed_work(work),
						 struct storage_test,
						 storage.grow_work);

	priv->grow_asked++;
	priv->grow_task = current;
}

static unsigned int grow_asked(struct kunit *test)
{
	flush_delayed_work(&storage_of(test)->grow_work);
	return priv_of(test)->grow_asked;
}

static void count_grown(void *arg)
{
	struct storage_test *priv = arg;

	priv->grown++;
}

static void put_file(void *file)
{
	fput(file);
}

static struct file *make_file(struct kunit *test)
{
	struct file *file = shmem_file_setup("blksnap-kunit", 0, VM_NORESERVE);

	/* Nothing to test without it. */
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file, file));
	return file;
}

/* Gives the storage a file on tmpfs that really grows. */
static void use_file(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);

	storage->file = make_file(test);
	storage->inode = diff_storage_inode(storage->file);
	storage->old_gfp = mapping_gfp_mask(storage->inode->i_mapping);
	storage->capacity = 0;
	INIT_DELAYED_WORK(&storage->grow_work, diff_storage_grow_work);
}

static loff_t file_sectors(struct diff_storage *storage)
{
	return i_size_read(file_inode(storage->file)) >> SECTOR_SHIFT;
}

static void alloc_should_hand_out_space_from_start_to_end(struct kunit *test)
{
	sector_t sector, expected;

	for (expected = 0; expected < PORTION; expected += 64) {
		KUNIT_EXPECT_EQ(test, 0, diff_storage_alloc(storage_of(test), 64,
							    &sector));
		KUNIT_EXPECT_EQ(test, sector, expected);
	}
}

static void alloc_should_align_to_a_page(struct kunit *test)
{
	sector_t sector, end = 0, nr;

	for (nr = 1; nr < 30; nr++) {
		KUNIT_EXPECT_EQ(test, 0, diff_storage_alloc(storage_of(test), nr,
							    &sector));
		KUNIT_EXPECT_EQ(test, sector % PAGE_SECTORS, 0);
		KUNIT_EXPECT_GE(test, sector, end);
		end = sector + nr;
	}
}

static const struct growth_param {
	const char *desc;
	sector_t nr;
	unsigned int asked;
} growth_params[] = {
	{ "all but little is free", 8, 0 },
	{ "half a portion is free", PORTION / 2, 0 },
	{ "a page less than half is free", PORTION / 2 + 8, 1 },
	{ "nothing is free", PORTION, 1 },
};

KUNIT_ARRAY_PARAM_DESC(growth, growth_params, desc);

static void alloc_should_ask_for_growth_below_half_a_portion(struct kunit *test)
{
	const struct growth_param *param = test->param_value;
	sector_t sector;

	KUNIT_EXPECT_EQ(test, 0, diff_storage_alloc(storage_of(test), param->nr,
						    &sector));
	KUNIT_EXPECT_EQ(test, grow_asked(test), param->asked);
	KUNIT_EXPECT_EQ(test, storage_of(test)->growing, !!param->asked);
}

static void alloc_should_let_another_task_do_the_growing(struct kunit *test)
{
	sector_t sector;

	diff_storage_alloc(storage_of(test), PORTION, &sector);
	KUNIT_EXPECT_EQ(test, grow_asked(test), 1);
	KUNIT_EXPECT_PTR_NE(test, priv_of(test)->grow_task, current);
}

static void alloc_should_not_ask_again_while_growing(struct kunit *test)
{
	sector_t sector;
	int i;

	for (i = 0; i < PORTION / 8; i++)
		diff_storage_alloc(storage_of(test), 8, &sector);
	KUNIT_EXPECT_EQ(test, grow_asked(test), 1);
}

static void alloc_should_be_put_off_when_space_will_come(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	sector_t sector = 77;

	/* Although no less than half a portion is free. */
	KUNIT_EXPECT_EQ(test, -EAGAIN, diff_storage_alloc(storage, PORTION + 1,
							  &sector));
	KUNIT_EXPECT_EQ(test, grow_asked(test), 1);
	KUNIT_EXPECT_EQ(test, sector, 77);
	KUNIT_EXPECT_EQ(test, storage->used, 0);
}

static void alloc_should_fail_when_full_for_good(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	sector_t sector = 77;

	storage->can_grow = false;
	storage->used = PORTION - 8;
	KUNIT_EXPECT_EQ(test, -ENOSPC, diff_storage_alloc(storage, 9, &sector));
	KUNIT_EXPECT_EQ(test, grow_asked(test), 0);
	KUNIT_EXPECT_EQ(test, sector, 77);
	KUNIT_EXPECT_EQ(test, storage->used, PORTION - 8);
}

static void alloc_should_use_the_last_page(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	sector_t sector;

	storage->can_grow = false;
	storage->used = PORTION - 8;
	KUNIT_EXPECT_EQ(test, 0, diff_storage_alloc(storage, 8, &sector));
	KUNIT_EXPECT_EQ(test, sector, PORTION - 8);
	KUNIT_EXPECT_EQ(test, -ENOSPC, diff_storage_alloc(storage, 1, &sector));
}

static void grow_should_add_a_portion_to_the_file(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);

	use_file(test);
	storage->growing = true;
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	KUNIT_EXPECT_EQ(test, storage->capacity, PORTION);
	KUNIT_EXPECT_EQ(test, file_sectors(storage), PORTION);
	KUNIT_EXPECT_TRUE(test, storage->can_grow);
	KUNIT_EXPECT_FALSE(test, storage->growing);
}

static void grow_should_stop_at_the_limit(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);

	use_file(test);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	KUNIT_EXPECT_EQ(test, storage->capacity, 2 * PORTION);
	KUNIT_EXPECT_TRUE(test, storage->can_grow);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	KUNIT_EXPECT_EQ(test, storage->capacity, LIMIT);
	KUNIT_EXPECT_EQ(test, file_sectors(storage), LIMIT);
	KUNIT_EXPECT_FALSE(test, storage->can_grow);
}

static void grow_should_end_when_the_file_gets_no_more_space(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	sector_t sector;

	use_file(test);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	/* What a file gets that nobody may write. */
	storage->file->f_mode &= ~FMODE_WRITE;
	storage->growing = true;
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), -EBADF);
	storage->file->f_mode |= FMODE_WRITE;

	KUNIT_EXPECT_FALSE(test, storage->can_grow);
	KUNIT_EXPECT_FALSE(test, storage->growing);
	KUNIT_EXPECT_EQ(test, storage->capacity, PORTION);
	/* What is there can be used up. */
	KUNIT_EXPECT_EQ(test, 0, diff_storage_alloc(storage, PORTION, &sector));
	KUNIT_EXPECT_EQ(test, -ENOSPC, diff_storage_alloc(storage, 8, &sector));
}

static void grow_should_keep_ahead_of_need(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	sector_t sector, expected;

	use_file(test);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	for (expected = 0; expected < LIMIT; expected += 8) {
		KUNIT_EXPECT_EQ(test, 0, diff_storage_alloc(storage, 8, &sector));
		KUNIT_EXPECT_EQ(test, sector, expected);
		flush_delayed_work(&storage->grow_work);
		KUNIT_EXPECT_GE(test, storage->capacity - storage->used,
				min(PORTION / 2, LIMIT - storage->used));
	}
	KUNIT_EXPECT_EQ(test, -ENOSPC, diff_storage_alloc(storage, 8, &sector));
	KUNIT_EXPECT_EQ(test, priv_of(test)->grown, 2);
}

static void grow_should_tell_its_end_also_when_it_fails(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	sector_t sector;

	use_file(test);
	storage->file->f_mode &= ~FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, -EAGAIN, diff_storage_alloc(storage, 8, &sector));
	flush_delayed_work(&storage->grow_work);
	storage->file->f_mode |= FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, priv_of(test)->grown, 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC, diff_storage_alloc(storage, 8, &sector));
}

static const struct file_param {
	const char *desc;
	fmode_t without;
	unsigned int flags;
	unsigned long state;
	int expected;
} file_params[] = {
	{ "an unnamed file", 0, 0, 0, 0 },
	{ "not open for writing", FMODE_WRITE, 0, 0, -EINVAL },
	{ "not open for reading", FMODE_READ, 0, 0, -EINVAL },
	{ "open for appending", 0, O_APPEND, 0, -EINVAL },
	{ "open without O_EXCL", 0, 0, I_LINKABLE, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(file, file_params, desc);

static void check_should_accept_a_file_of_ones_own_only(struct kunit *test)
{
	const struct file_param *param = test->param_value;
	struct file *file = make_file(test);

	file->f_mode &= ~param->without;
	file->f_flags |= param->flags;
	file_inode(file)->i_state |= param->state;
	KUNIT_EXPECT_EQ(test, diff_storage_check_file(file), param->expected);
	/* It goes as it came. */
	file->f_mode |= param->without;
	file_inode(file)->i_state &= ~param->state;
}

static void create_should_refuse_a_limit_that_cannot_be(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(diff_storage_create(-1, 0, count_grown, NULL)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(diff_storage_create(-1, U64_MAX, count_grown,
						    NULL)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR(diff_storage_create(-1, 1ULL << (63 - SECTOR_SHIFT),
						    count_grown, NULL)));
	KUNIT_EXPECT_EQ(test, -EBADF,
			PTR_ERR(diff_storage_create(-1, LLONG_MAX >> SECTOR_SHIFT,
						    count_grown, NULL)));
}

static ssize_t spy_write_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct storage_test *priv = iocb->ki_filp->private_data;

	priv->writes++;
	priv->was_writing = diff_storage_is_writing();
	priv->was_appending = iocb->ki_flags & IOCB_APPEND;
	if (iocb->ki_flags & IOCB_DIRECT) {
		priv->direct_writes++;
		if (priv->refuses_direct)
			return -EINVAL;
	}
	return iov_iter_count(iter) - priv->shortfall;
}

static const struct file_operations spy_fops = {
	.write_iter = spy_write_iter,
};

/* Writes a page to a file that only looks at what comes. */
static int write_to_spy(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	void *data = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	const struct file_operations *fops;
	struct bio_vec bvec;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, data);
	bvec_set_page(&bvec, virt_to_page(data), PAGE_SIZE, 0);
	fops = storage->file->f_op;
	storage->file->f_op = &spy_fops;
	storage->file->private_data = test->priv;
	ret = diff_storage_write(storage, 0, &bvec, 1, 0, PAGE_SIZE, true);
	storage->file->f_op = fops;
	storage->file->private_data = NULL;
	return ret;
}

static void is_writing_should_be_true_while_writing_only(struct kunit *test)
{
	unsigned int flags = current->flags;

	use_file(test);
	KUNIT_EXPECT_FALSE(test, diff_storage_is_writing());
	KUNIT_EXPECT_EQ(test, write_to_spy(test), 0);
	KUNIT_EXPECT_TRUE(test, priv_of(test)->was_writing);
	KUNIT_EXPECT_FALSE(test, diff_storage_is_writing());
	/* What the task was before it is afterwards. */
	KUNIT_EXPECT_EQ(test, current->flags, flags);
}

static void write_should_do_without_direct_where_it_is_refused(struct kunit *test)
{
	struct storage_test *priv = priv_of(test);

	use_file(test);
	priv->storage.writes_direct = true;
	KUNIT_EXPECT_EQ(test, write_to_spy(test), 0);
	KUNIT_EXPECT_EQ(test, priv->direct_writes, 1);
	KUNIT_EXPECT_EQ(test, priv->writes, 1);

	priv->refuses_direct = true;
	KUNIT_EXPECT_EQ(test, write_to_spy(test), 0);
	KUNIT_EXPECT_EQ(test, priv->direct_writes, 2);
	KUNIT_EXPECT_EQ(test, priv->writes, 3);

	/* It has been told once. */
	KUNIT_EXPECT_EQ(test, write_to_spy(test), 0);
	KUNIT_EXPECT_EQ(test, priv->direct_writes, 2);
	KUNIT_EXPECT_EQ(test, priv->writes, 4);
}

static void memory_should_be_written_through_its_pages(struct kunit *test)
{
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	struct diff_storage *storage = storage_of(test);

	KUNIT_ASSERT_NOT_NULL(test, sb);
	KUNIT_ASSERT_NOT_NULL(test, inode);
	use_file(test);
	storage->file->f_mode |= FMODE_CAN_ODIRECT;
	KUNIT_EXPECT_FALSE(test, diff_storage_can_direct(storage));

	/* The same file, of a file system that stores. */
	inode->i_sb = sb;
	storage->inode = inode;
	KUNIT_EXPECT_TRUE(test, diff_storage_can_direct(storage));

	storage->file->f_mode &= ~FMODE_CAN_ODIRECT;
	KUNIT_EXPECT_FALSE(test, diff_storage_can_direct(storage));
}

static void write_should_go_to_its_place_in_a_file_for_appending(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);

	use_file(test);
	storage->file->f_iocb_flags |= IOCB_APPEND;
	KUNIT_EXPECT_EQ(test, write_to_spy(test), 0);
	KUNIT_EXPECT_FALSE(test, priv_of(test)->was_appending);
}

static void short_write_should_be_an_error(struct kunit *test)
{
	use_file(test);
	priv_of(test)->shortfall = 1;
	KUNIT_EXPECT_EQ(test, write_to_spy(test), -EIO);
}

static void stored_data_should_be_read_back(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	u8 *out = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	u8 *in = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct bio_vec bvec;

	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_ASSERT_NOT_NULL(test, in);
	use_file(test);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	memset(out, 0x5a, PAGE_SIZE);

	bvec_set_page(&bvec, virt_to_page(out), PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, 0, diff_storage_write(storage, 8192, &bvec, 1, 512,
						    1024, false));
	bvec_set_page(&bvec, virt_to_page(in), PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, 0, diff_storage_read(storage, 8192, &bvec, 1, 2048,
						   1024));

	KUNIT_EXPECT_NULL(test, memchr_inv(in, 0, 2048));
	KUNIT_EXPECT_NULL(test, memchr_inv(in + 2048, 0x5a, 1024));
	KUNIT_EXPECT_NULL(test, memchr_inv(in + 3072, 0, 1024));
}

static void short_read_should_be_an_error(struct kunit *test)
{
	struct diff_storage *storage = storage_of(test);
	void *data = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct bio_vec bvec;

	KUNIT_ASSERT_NOT_NULL(test, data);
	use_file(test);
	KUNIT_EXPECT_EQ(test, diff_storage_grow(storage), 0);
	bvec_set_page(&bvec, virt_to_page(data), PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, -EIO,
			diff_storage_read(storage,
					  PORTION * 512 - PAGE_SIZE / 2, &bvec, 1,
					  0, PAGE_SIZE));
}

static int diff_storage_test_init(struct kunit *test)
{
	struct storage_test *priv = kunit_kzalloc(test, sizeof(*priv), GFP_KERNEL);

	if (!priv)
		return -ENOMEM;
	spin_lock_init(&priv->storage.lock);
	priv->storage.grow_wq = system_unbound_wq;
	INIT_DELAYED_WORK(&priv->storage.grow_work, count_grow);
	priv->storage.portion = PORTION;
	priv->storage.limit = LIMIT;
	priv->storage.capacity = PORTION;
	priv->storage.can_grow = true;
	priv->storage.grown = count_grown;
	priv->storage.grown_arg = priv;
	test->priv = priv;
	return 0;
}

static void diff_storage_test_exit(struct kunit *test)
{
	if (test->priv)
		cancel_delayed_work_sync(&storage_of(test)->grow_work);
}

static struct kunit_case diff_storage_cases[] = {
	/* DIF-02 */
	KUNIT_CASE(alloc_should_hand_out_space_from_start_to_end),
	KUNIT_CASE(alloc_should_align_to_a_page),
	KUNIT_CASE_PARAM(alloc_should_ask_for_growth_below_half_a_portion,
			 growth_gen_params),
	KUNIT_CASE(alloc_should_let_another_task_do_the_growing),
	KUNIT_CASE(alloc_should_not_ask_again_while_growing),
	KUNIT_CASE(alloc_should_be_put_off_when_space_will_come),
	/* DIF-03 */
	KUNIT_CASE(alloc_should_fail_when_full_for_good),
	KUNIT_CASE(alloc_should_use_the_last_page),
	/* DIF-02 */
	KUNIT_CASE(grow_should_add_a_portion_to_the_file),
	/* DIF-02 DIF-03 */
	KUNIT_CASE(grow_should_stop_at_the_limit),
	/* DIF-03 */
	KUNIT_CASE(grow_should_end_when_the_file_gets_no_more_space),
	/* DIF-02 */
	KUNIT_CASE(grow_should_keep_ahead_of_need),
	/* DIF-03 */
	KUNIT_CASE(grow_should_tell_its_end_also_when_it_fails),
	/* DIF-05 */
	KUNIT_CASE_PARAM(check_should_accept_a_file_of_ones_own_only,
			 file_gen_params),
	/* DIF-05 ABI-03 */
	KUNIT_CASE(create_should_refuse_a_limit_that_cannot_be),
	/* COW-07 */
	KUNIT_CASE(is_writing_should_be_true_while_writing_only),
	/* DIF-05 */
	KUNIT_CASE(write_should_do_without_direct_where_it_is_refused),
	KUNIT_CASE(memory_should_be_written_through_its_pages),
	KUNIT_CASE(write_should_go_to_its_place_in_a_file_for_appending),
	KUNIT_CASE(short_write_should_be_an_error),
	KUNIT_CASE(stored_data_should_be_read_back),
	KUNIT_CASE(short_read_should_be_an_error),
	{}
};

static struct kunit_suite diff_storage_suite = {
	.name = "blksnap_diff_storage",
	.init = diff_storage_test_init,
	.exit = diff_storage_test_exit,
	.test_cases = diff_storage_cases,
};

kunit_test_suite(diff_storage_suite);
