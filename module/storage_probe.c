// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap: storage probe.
 */
#include <linux/bio.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include "diff_storage.h"
#include "storage_probe.h"
#include "tracker.h"

/* Noise, lest it be compressed away, with the id at the start of each sector. */
static void storage_probe_fill(struct storage_probe *probe, void *page)
{
	unsigned int offset;

	get_random_bytes(page, PAGE_SIZE);
	for (offset = 0; offset < PAGE_SIZE; offset += SECTOR_SIZE)
		memcpy(page + offset, &probe->id, sizeof(probe->id));
}

/* Where to try, bytes: the first, a middle and the last page of the storage. */
static loff_t probe_place(struct diff_storage *storage, unsigned int nr_halves)
{
	sector_t room = round_down(storage->capacity, PAGE_SECTORS);
	sector_t half = room < PAGE_SECTORS ? 0 : (room - PAGE_SECTORS) >> 1;

	return round_down(half * nr_halves, PAGE_SECTORS) << SECTOR_SHIFT;
}

int storage_probe(struct diff_storage *storage, struct tracker *tracker)
{
	struct storage_probe probe = {};
	struct bio_vec bvec;
	struct page *page;
	unsigned int i;
	int ret = 0;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	generate_random_uuid(probe.id.b);
	storage_probe_fill(&probe, page_address(page));
	bvec_set_page(&bvec, page, PAGE_SIZE, 0);

	rcu_assign_pointer(tracker->probe, &probe);
	for (i = 0; i <= 2 && !ret; i++)
		ret = diff_storage_write(storage, probe_place(storage, i),
					 &bvec, 1, 0, PAGE_SIZE, true);
	if (!ret)
		ret = diff_storage_sync(storage);
	RCU_INIT_POINTER(tracker->probe, NULL);
	synchronize_rcu();

	__free_page(page);
	if (READ_ONCE(probe.is_seen))
		return -EDEADLK;
	return ret;
}

void storage_probe_check(struct storage_probe *probe, struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bvec;

	if (!bio_has_data(bio))
		return;
	bio_for_each_segment(bvec, bio, iter) {
		void *data = bvec_kmap_local(&bvec);
		unsigned int offset;

		for (offset = 0; offset + SECTOR_SIZE <= bvec.bv_len;
		     offset += SECTOR_SIZE)
			if (!memcmp(data + offset, &probe->id,
				    sizeof(probe->id)))
				WRITE_ONCE(probe->is_seen, true);
		kunmap_local(data);
	}
}
