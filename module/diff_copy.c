// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: the copy of one chunk.
 */
#include <linux/bio.h>
#include <linux/blk-cgroup.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "diff_area.h"
#include "diff_copy.h"
#include "diff_storage.h"
#include "geometry.h"
#include "tracker.h"

static void diff_copy_store_work(struct work_struct *work)
{
	struct diff_copy *copy = container_of(work, struct diff_copy, work);
	struct diff_area *area = copy->area;
	sector_t nr = diff_area_chunk_sectors(area, copy->chunk);
	size_t len = round_up((size_t)nr << SECTOR_SHIFT, PAGE_SIZE);
	int ret = copy->error;

	if (diff_area_is_over(area))
		ret = -ESHUTDOWN;
	if (!ret)
		ret = diff_storage_write(area->storage,
					 copy->place << SECTOR_SHIFT,
					 copy->pages, len >> PAGE_SHIFT, 0, len,
					 true);
	if (!ret)
		ret = diff_storage_lost(area->storage);
	diff_area_copy_stored(area, copy, ret);
}

struct diff_copy *diff_copy_alloc(struct diff_area *area)
{
	unsigned int nr_pages = DIV_ROUND_UP(1U << area->shift, PAGE_SIZE);
	struct diff_copy *copy;

	copy = kvzalloc(struct_size(copy, pages, nr_pages), GFP_KERNEL);
	if (!copy)
		return NULL;
	copy->area = area;
	copy->nr_pages = nr_pages;
	INIT_WORK(&copy->work, diff_copy_store_work);
	while (nr_pages--) {
		struct page *page = alloc_page(GFP_KERNEL |
					       __GFP_RETRY_MAYFAIL);

		if (!page) {
			diff_copy_free(copy);
			return NULL;
		}
		bvec_set_page(&copy->pages[nr_pages], page, PAGE_SIZE, 0);
	}
	return copy;
}

void diff_copy_free(struct diff_copy *copy)
{
	unsigned int i;

	for (i = 0; i < copy->nr_pages; i++)
		if (copy->pages[i].bv_page)
			__free_page(copy->pages[i].bv_page);
	kvfree(copy);
}

static void diff_copy_part_done(struct diff_copy *copy)
{
	if (!atomic_dec_and_test(&copy->parts))
		return;
	diff_area_copy_ready(copy->area, copy);
}

static void diff_copy_read_endio(struct bio *bio)
{
	struct diff_copy *copy = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&copy->error, 0, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	diff_copy_part_done(copy);
}

void diff_copy_read(struct diff_copy *copy)
{
	struct diff_area *area = copy->area;
	struct blkfilter *flt = &area->tracker->flt;
	sector_t sector = blksnap_unit_start(copy->chunk, area->shift);
	sector_t left = diff_area_chunk_sectors(area, copy->chunk);
	unsigned int tail = (left << SECTOR_SHIFT) & (PAGE_SIZE - 1);
	unsigned int i = 0;

	copy->error = 0;
	atomic_set(&copy->parts, 1);

	/* What is stored behind the end of the device is not of others. */
	if (tail)
		zero_user_segment(copy->pages[left >> PAGE_SECTORS_SHIFT].bv_page,
				  tail, PAGE_SIZE);

	while (left) {
		unsigned short nr_pages = min_t(sector_t, BIO_MAX_VECS,
						DIV_ROUND_UP(left, PAGE_SECTORS));
		struct bio *bio;

		bio = bio_alloc_bioset(flt->bdev, nr_pages,
				       REQ_OP_READ | REQ_SYNC, GFP_NOIO,
				       &area->bios);
		/* Nobody's cgroup is to wait for what all writers wait for. */
		bio_associate_blkg_from_css(bio, blkcg_root_css);
		bio->bi_iter.bi_sector = sector;
		bio->bi_end_io = diff_copy_read_endio;
		bio->bi_private = copy;
		while (nr_pages--) {
			sector_t nr = min_t(sector_t, left, PAGE_SECTORS);

			__bio_add_page(bio, copy->pages[i++].bv_page,
				       nr << SECTOR_SHIFT, 0);
			sector += nr;
			left -= nr;
		}
		atomic_inc(&copy->parts);
		blkfilter_submit_bio(flt, bio);
	}
	diff_copy_part_done(copy);
}

void diff_copy_read_all(struct list_head *copies)
{
	struct diff_copy *copy, *next;

	list_for_each_entry_safe(copy, next, copies, link) {
		list_del_init(&copy->link);
		diff_copy_read(copy);
	}
}
