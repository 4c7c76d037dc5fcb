// SPDX-License-Identifier: GPL-2.0
/*
 * Compiles only when the headers in module/include/uapi describe the wire
 * format of generation 6 of the series: programs written for it must work
 * unchanged. npm test compiles it for 64-bit and for 32-bit callers, which see
 * the same layout. The numbers are those of the published interface, not taken
 * from the headers.
 */
#include <stddef.h>
#include <linux/types.h>
#include <linux/blk-filter.h>
#include <linux/blksnap.h>

#define VALUE(name, number) \
	_Static_assert((unsigned long long)(name) == (number), #name)
#define SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), "size of " #type)
#define FIELD(type, field, at) \
	_Static_assert(offsetof(struct type, field) == (at), #type "." #field)

VALUE(BLKFILTER_NAME_LENGTH, 32);
VALUE(BLKFILTER_ATTACH, 0xC020128CULL);
VALUE(BLKFILTER_DETACH, 0xC020128DULL);
VALUE(BLKFILTER_CTL, 0xC030128EULL);
VALUE(blkfilter_ctl_blksnap_cbtinfo, 0);
VALUE(blkfilter_ctl_blksnap_cbtmap, 1);
VALUE(blkfilter_ctl_blksnap_cbtdirty, 2);
VALUE(blkfilter_ctl_blksnap_snapshotadd, 3);
VALUE(blkfilter_ctl_blksnap_snapshotinfo, 4);
VALUE(IOCTL_BLKSNAP_VERSION, 0x80085600ULL);
VALUE(IOCTL_BLKSNAP_SNAPSHOT_CREATE, 0xC0205601ULL);
VALUE(IOCTL_BLKSNAP_SNAPSHOT_DESTROY, 0x40105602ULL);
VALUE(IOCTL_BLKSNAP_SNAPSHOT_TAKE, 0x40105603ULL);
VALUE(IOCTL_BLKSNAP_SNAPSHOT_COLLECT, 0x80105604ULL);
VALUE(IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT, 0x90005605ULL);
VALUE(blksnap_event_code_corrupted, 0);

SIZE(blkfilter_name, 32);
FIELD(blkfilter_name, name, 0);

SIZE(blkfilter_ctl, 48);
FIELD(blkfilter_ctl, name, 0);
FIELD(blkfilter_ctl, cmd, 32);
FIELD(blkfilter_ctl, optlen, 36);
FIELD(blkfilter_ctl, opt, 40);

SIZE(blksnap_cbtinfo, 40);
FIELD(blksnap_cbtinfo, device_capacity, 0);
FIELD(blksnap_cbtinfo, block_size, 8);
FIELD(blksnap_cbtinfo, block_count, 12);
FIELD(blksnap_cbtinfo, generation_id, 16);
FIELD(blksnap_cbtinfo, changes_number, 32);

SIZE(blksnap_cbtmap, 16);
FIELD(blksnap_cbtmap, offset, 0);
FIELD(blksnap_cbtmap, length, 4);
FIELD(blksnap_cbtmap, buffer, 8);

SIZE(blksnap_cbtdirty, 16);
FIELD(blksnap_cbtdirty, count, 0);
FIELD(blksnap_cbtdirty, dirty_sectors, 8);

SIZE(blksnap_sectors, 16);
FIELD(blksnap_sectors, offset, 0);
FIELD(blksnap_sectors, count, 8);

SIZE(blksnap_snapshotadd, 16);
FIELD(blksnap_snapshotadd, id, 0);

SIZE(blksnap_snapshotinfo, 36);
FIELD(blksnap_snapshotinfo, error_code, 0);
FIELD(blksnap_snapshotinfo, image, 4);

SIZE(blksnap_version, 8);
FIELD(blksnap_version, major, 0);
FIELD(blksnap_version, minor, 2);
FIELD(blksnap_version, revision, 4);
FIELD(blksnap_version, build, 6);

SIZE(blksnap_snapshot_create, 32);
FIELD(blksnap_snapshot_create, diff_storage_limit_sect, 0);
FIELD(blksnap_snapshot_create, diff_storage_fd, 8);
FIELD(blksnap_snapshot_create, id, 12);

SIZE(blksnap_snapshot_collect, 16);
FIELD(blksnap_snapshot_collect, count, 0);
FIELD(blksnap_snapshot_collect, ids, 8);

SIZE(blksnap_snapshot_event, 4096);
FIELD(blksnap_snapshot_event, id, 0);
FIELD(blksnap_snapshot_event, timeout_ms, 16);
FIELD(blksnap_snapshot_event, code, 20);
FIELD(blksnap_snapshot_event, time_label, 24);
FIELD(blksnap_snapshot_event, data, 32);

SIZE(blksnap_event_corrupted, 12);
FIELD(blksnap_event_corrupted, dev_id_mj, 0);
FIELD(blksnap_event_corrupted, dev_id_mn, 4);
FIELD(blksnap_event_corrupted, err_code, 8);
