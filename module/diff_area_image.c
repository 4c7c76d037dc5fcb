// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: difference area: what the image device reads and writes.
 *
 * A chunk that nobody has overwritten is read from the device. As long as such
 * a read is on its way, no write to the chunk passes, even if it is copied
 * meanwhile: the block layer may let the write overtake the read.
 */
#include <linux/bio.h>
#include <linux/blk-cgroup.h>
#include <linux/completion.h>
#include <linux/highmem.h>
#include "diff_area.h"
#include "diff_area_priv.h"
#include "diff_copy.h"
#include "diff_storage.h"
#include "geometry.h"
#include "tracker.h"

struct device_read {
	struct completion done;
	blk_status_t status;
};

static void device_read_endio(struct bio *bio)
{
	struct device_read *read = bio->bi_private;

	read->status = bio->bi_status;
	bio_put(bio);
	complete(&read->done);
}

static int read_from_device(struct diff_area *area, struct bio *bio,
			    struct bvec_iter iter)
{
	struct blkfilter *flt = &area->tracker->flt;
	struct device_read read = {
		.done = COMPLETION_INITIALIZER_ONSTACK(read.done),
	};
	struct bio *clone;

	clone = bio_alloc_clone(flt->bdev, bio, GFP_NOIO, &area->bios);
	/* Writers wait for it: not for what the reader's cgroup may read. */
	bio_associate_blkg_from_css(clone, blkcg_root_css);
	clone->bi_ioprio = 0;
	clone->bi_iter = iter;
	clone->bi_opf = REQ_OP_READ | REQ_SYNC;
	clone->bi_end_io = device_read_endio;
	clone->bi_private = &read;
	blkfilter_submit_bio(flt, clone);
	wait_for_completion_io(&read.done);
	return blk_status_to_errno(read.status);
}

static void read_from_copy(struct diff_copy *copy, size_t pos, struct bio *bio,
			   struct bvec_iter iter)
{
	struct bvec_iter at;
	struct bio_vec bvec;

	__bio_for_each_segment(bvec, bio, at, iter) {
		unsigned int done = 0;

		while (done < bvec.bv_len) {
			struct page *page = copy->pages[pos >> PAGE_SHIFT].bv_page;
			unsigned int len = min_t(unsigned int,
						 bvec.bv_len - done,
						 PAGE_SIZE - offset_in_page(pos));

			memcpy_page(bvec.bv_page, bvec.bv_offset + done, page,
				    offset_in_page(pos), len);
			done += len;
			pos += len;
		}
		flush_dcache_page(bvec.bv_page);
	}
}

/* Number of vectors of @bio that @iter covers, the first and last in part. */
static unsigned int count_bvecs(struct bio *bio, struct bvec_iter iter)
{
	const struct bio_vec *bvec = &bio->bi_io_vec[iter.bi_idx];
	unsigned int left = iter.bi_size + iter.bi_bvec_done;
	unsigned int nr = 1;

	for (; left > bvec->bv_len; bvec++, nr++)
		left -= bvec->bv_len;
	return nr;
}

/* Place of the piece in the storage, bytes. @stored is the chunk's entry. */
static loff_t place_of(struct diff_area *area, u64 stored, sector_t sector)
{
	u64 chunk = blksnap_unit_of(sector, area->shift);
	sector_t offset = sector - blksnap_unit_start(chunk, area->shift);

	return (stored - 1 + offset) << SECTOR_SHIFT;
}

int diff_area_read_image(struct diff_area *area, struct bio *bio,
			 struct bvec_iter iter)
{
	u64 chunk = blksnap_unit_of(iter.bi_sector, area->shift);
	struct diff_reader reader = { .chunk = chunk };
	struct diff_copy *copy;
	u64 stored;
	int ret = 0;

	spin_lock_irq(&area->lock);
	if (diff_area_is_over(area)) {
		spin_unlock_irq(&area->lock);
		return -EIO;
	}
	stored = area->stored[chunk];
	copy = diff_area_find_copy(area, chunk);
	if (!stored && copy && copy->is_ready) {
		copy->users++;
	} else if (!stored) {
		hash_add(area->readers, &reader.hash, chunk);
		area->nr_reads++;
		copy = NULL;
	}
	spin_unlock_irq(&area->lock);

	if (stored) {
		ret = diff_storage_read(area->storage,
					place_of(area, stored, iter.bi_sector),
					&bio->bi_io_vec[iter.bi_idx],
					count_bvecs(bio, iter),
					iter.bi_bvec_done, iter.bi_size);
		/* Then no chunk in it can be trusted. */
		if (diff_storage_is_lost(area->storage))
			diff_area_fail(area, -EIO);
	} else if (copy) {
		sector_t start = blksnap_unit_start(chunk, area->shift);

		read_from_copy(copy, (iter.bi_sector - start) << SECTOR_SHIFT,
			       bio, iter);
		diff_area_put_copy(area, copy);
	} else {
		ret = read_from_device(area, bio, iter);
		spin_lock_irq(&area->lock);
		hash_del(&reader.hash);
		area->nr_reads--;
		diff_area_changed(area);
		spin_unlock_irq(&area->lock);
	}

	/* A write that passed because of an error may have been faster. */
	if (ret || diff_area_is_over(area))
		return -EIO;
	return 0;
}

/*
 * Wait until the chunk is in the storage, and have it copied if need be. When
 * the area has ended, reads for copies are waited for all the same: who has the
 * image open may be the only one for whom the device is held.
 */
static int get_stored(struct diff_area *area, u64 chunk, u64 *stored)
{
	for (;;) {
		unsigned long changes;
		LIST_HEAD(reads);
		int ret = 0;

		spin_lock_irq(&area->lock);
		*stored = area->stored[chunk];
		if (diff_area_is_over(area))
			ret = area->nr_copying ? -EAGAIN : -EIO;
		else if (!*stored && !diff_area_find_copy(area, chunk))
			ret = diff_area_start_copy(area, chunk, &reads);
		changes = area->changes;
		spin_unlock_irq(&area->lock);

		if (ret && ret != -EAGAIN)
			return ret;
		if (!ret && *stored)
			return 0;
		diff_copy_read_all(&reads);
		wait_event(area->wait, READ_ONCE(area->changes) != changes);
	}
}

int diff_area_write_image(struct diff_area *area, struct bio *bio,
			  struct bvec_iter iter)
{
	u64 chunk = blksnap_unit_of(iter.bi_sector, area->shift);
	u64 stored;
	int ret;

	ret = get_stored(area, chunk, &stored);
	if (ret)
		return ret;

	tracker_mark_both(area->tracker, iter.bi_sector,
			  iter.bi_size >> SECTOR_SHIFT);
	ret = diff_storage_write(area->storage,
				 place_of(area, stored, iter.bi_sector),
				 &bio->bi_io_vec[iter.bi_idx],
				 count_bvecs(bio, iter), iter.bi_bvec_done,
				 iter.bi_size, false);
	return ret ? -EIO : 0;
}
