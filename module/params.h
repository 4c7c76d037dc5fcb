/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: module parameters. They are read when a map, a snapshot or a storage
 * is made; a change does not touch what exists.
 */
#ifndef BLKSNAP_PARAMS_H
#define BLKSNAP_PARAMS_H

#include <linux/types.h>

struct blksnap_granularity;

/* Rule for the blocks of change tracking. */
void blksnap_tracking_granularity(struct blksnap_granularity *granularity);

/* Rule for the chunks of copy-on-write. */
void blksnap_chunk_granularity(struct blksnap_granularity *granularity);

/* Sectors by which a difference storage grows at a time, at least 1. */
sector_t blksnap_diff_storage_minimum(void);

#endif /* BLKSNAP_PARAMS_H */
