/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * blksnap: snapshots and changed-block tracking of block devices.
 *
 * Two doors. What concerns one device goes through BLKFILTER_CTL on that
 * device's descriptor (see linux/blk-filter.h) to the filter BLKSNAP_FILTER.
 * What concerns a snapshot goes through ioctl() on BLKSNAP_CTL_PATH.
 *
 * A sector is 512 bytes. A UUID is 16 raw bytes in RFC 4122 order. Reserved
 * bytes and padding are zero when they come from the kernel.
 */
#ifndef _UAPI_LINUX_BLKSNAP_H
#define _UAPI_LINUX_BLKSNAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BLKSNAP_FILTER		"blksnap"
#define BLKSNAP_CTL		"blksnap-control"
#define BLKSNAP_CTL_PATH	"/dev/" BLKSNAP_CTL
#define BLKSNAP_UUID_SIZE	16
/* Bytes of an image's name, the terminating NUL included. */
#define BLKSNAP_IMAGE_NAME_SIZE	32
#define BLKSNAP_EVENT_DATA_SIZE	4064

/**
 * enum blkfilter_ctl_blksnap - commands of the filter, through BLKFILTER_CTL
 *
 * @blkfilter_ctl_blksnap_cbtinfo:
 *	Describes the change map: &struct blksnap_cbtinfo (out).
 * @blkfilter_ctl_blksnap_cbtmap:
 *	Reads the map that was frozen by the latest take: &struct
 *	blksnap_cbtmap (in). The result of ioctl() is the number of bytes read.
 * @blkfilter_ctl_blksnap_cbtdirty:
 *	Marks ranges as changed: &struct blksnap_cbtdirty (in).
 * @blkfilter_ctl_blksnap_snapshotadd:
 *	Adds the device to a snapshot: &struct blksnap_snapshotadd (in).
 * @blkfilter_ctl_blksnap_snapshotinfo:
 *	State and image of the device: &struct blksnap_snapshotinfo (out).
 */
enum blkfilter_ctl_blksnap {
	blkfilter_ctl_blksnap_cbtinfo = 0,
	blkfilter_ctl_blksnap_cbtmap = 1,
	blkfilter_ctl_blksnap_cbtdirty = 2,
	blkfilter_ctl_blksnap_snapshotadd = 3,
	blkfilter_ctl_blksnap_snapshotinfo = 4,
};

/**
 * struct blksnap_cbtinfo - the change map of a device
 *
 * @device_capacity:
 *	Bytes of the device that the map describes.
 * @block_size:
 *	Bytes of a block, a power of two. The last block may be partial.
 * @block_count:
 *	Blocks, and so bytes of the map.
 * @generation_id:
 *	UUID of the run of snapshots over which the numbers compare.
 * @changes_number:
 *	The number that marks carried up to the latest take. At a later snapshot
 *	of the same generation, the blocks whose byte in the map is larger have
 *	changed since.
 */
struct blksnap_cbtinfo {
	__aligned_u64 device_capacity;
	__u32 block_size;
	__u32 block_count;
	__u8 generation_id[BLKSNAP_UUID_SIZE];
	__u8 changes_number;
};

/**
 * struct blksnap_cbtmap - a piece of the map to read
 *
 * @offset:
 *	First byte (block) of the piece. At or past the end nothing is read.
 * @length:
 *	Bytes (blocks) to read. Past the end the read is short.
 * @buffer:
 *	User pointer to @length bytes.
 */
struct blksnap_cbtmap {
	__u32 offset;
	__u32 length;
	__aligned_u64 buffer;
};

/**
 * struct blksnap_sectors - a range of sectors
 *
 * @offset:
 *	First sector.
 * @count:
 *	Number of sectors.
 */
struct blksnap_sectors {
	__aligned_u64 offset;
	__aligned_u64 count;
};

/**
 * struct blksnap_cbtdirty - ranges to mark as changed
 *
 * @count:
 *	Number of ranges.
 * @dirty_sectors:
 *	User pointer to @count elements of &struct blksnap_sectors. If one of
 *	them is not within the device, none is marked.
 */
struct blksnap_cbtdirty {
	__u32 count;
	__aligned_u64 dirty_sectors;
};

/**
 * struct blksnap_snapshotadd - the snapshot that the device joins
 *
 * @id:
 *	UUID of the snapshot.
 */
struct blksnap_snapshotadd {
	__u8 id[BLKSNAP_UUID_SIZE];
};

/**
 * struct blksnap_snapshotinfo - the device's part in its snapshot
 *
 * @error_code:
 *	0, or the negative errno that corrupted the image; -ENOSPC is an
 *	overflow of the difference storage.
 * @image:
 *	Name of the image device below /dev. Empty before take.
 */
struct blksnap_snapshotinfo {
	__s32 error_code;
	__u8 image[BLKSNAP_IMAGE_NAME_SIZE];
};

#define BLKSNAP_IOC_MAGIC	'V'

/**
 * struct blksnap_version - version of the module
 *
 * @major:
 *	Generation of the interface.
 * @minor:
 *	Additions to it.
 * @revision:
 *	Changes that do not touch it.
 * @build:
 *	Number of the build, 0 if there is none.
 */
struct blksnap_version {
	__u16 major;
	__u16 minor;
	__u16 revision;
	__u16 build;
};

/**
 * struct blksnap_uuid - name of a snapshot
 *
 * @b:
 *	The raw bytes.
 */
struct blksnap_uuid {
	__u8 b[BLKSNAP_UUID_SIZE];
};

/**
 * struct blksnap_snapshot_create - a new snapshot, still without devices
 *
 * @diff_storage_limit_sect:
 *	Sectors that the difference storage may take at most.
 * @diff_storage_fd:
 *	Descriptor of a regular file or a block device, opened with
 *	O_RDWR | O_EXCL.
 * @id:
 *	UUID of the new snapshot (out).
 */
struct blksnap_snapshot_create {
	__aligned_u64 diff_storage_limit_sect;
	__u32 diff_storage_fd;
	__u8 id[BLKSNAP_UUID_SIZE];
};

/**
 * struct blksnap_snapshot_collect - all snapshots
 *
 * @count:
 *	In: room in @ids. Out: the number of snapshots. If the room is too
 *	small, nothing is filled in and the result is ENODATA.
 * @ids:
 *	User pointer to @count elements of &struct blksnap_uuid; may be null if
 *	@count is 0.
 */
struct blksnap_snapshot_collect {
	__u32 count;
	__aligned_u64 ids;
};

/**
 * enum blksnap_event_codes - what happened
 *
 * @blksnap_event_code_corrupted:
 *	The image of a device is lost: &struct blksnap_event_corrupted.
 */
enum blksnap_event_codes {
	blksnap_event_code_corrupted = 0,
};

/**
 * struct blksnap_snapshot_event - wait for an event of a snapshot
 *
 * @id:
 *	UUID of the snapshot (in).
 * @timeout_ms:
 *	Milliseconds to wait at most (in). 0 does not wait.
 * @code:
 *	One of &enum blksnap_event_codes (out).
 * @time_label:
 *	When it happened, CLOCK_REALTIME in nanoseconds (out).
 * @data:
 *	What belongs to @code (out).
 */
struct blksnap_snapshot_event {
	__u8 id[BLKSNAP_UUID_SIZE];
	__u32 timeout_ms;
	__u32 code;
	__s64 time_label;
	__u8 data[BLKSNAP_EVENT_DATA_SIZE];
};

/**
 * struct blksnap_event_corrupted - data of blksnap_event_code_corrupted
 *
 * @dev_id_mj:
 *	Major number of the original device.
 * @dev_id_mn:
 *	Minor number of the original device.
 * @err_code:
 *	Negative errno of what went wrong.
 */
struct blksnap_event_corrupted {
	__u32 dev_id_mj;
	__u32 dev_id_mn;
	__s32 err_code;
};

#define IOCTL_BLKSNAP_VERSION \
	_IOR(BLKSNAP_IOC_MAGIC, 0, struct blksnap_version)
#define IOCTL_BLKSNAP_SNAPSHOT_CREATE \
	_IOWR(BLKSNAP_IOC_MAGIC, 1, struct blksnap_snapshot_create)
#define IOCTL_BLKSNAP_SNAPSHOT_DESTROY \
	_IOW(BLKSNAP_IOC_MAGIC, 2, struct blksnap_uuid)
#define IOCTL_BLKSNAP_SNAPSHOT_TAKE \
	_IOW(BLKSNAP_IOC_MAGIC, 3, struct blksnap_uuid)
#define IOCTL_BLKSNAP_SNAPSHOT_COLLECT \
	_IOR(BLKSNAP_IOC_MAGIC, 4, struct blksnap_snapshot_collect)
#define IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT \
	_IOR(BLKSNAP_IOC_MAGIC, 5, struct blksnap_snapshot_event)

#endif /* _UAPI_LINUX_BLKSNAP_H */
