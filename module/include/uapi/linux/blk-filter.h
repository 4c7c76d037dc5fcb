/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Block device filters: attach, detach and control through the descriptor of
 * a block device. All three commands need CAP_SYS_ADMIN.
 */
#ifndef _UAPI_LINUX_BLK_FILTER_H
#define _UAPI_LINUX_BLK_FILTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bytes of a filter's name, the terminating NUL included. */
#define BLKFILTER_NAME_LENGTH	32

/**
 * struct blkfilter_name - argument of BLKFILTER_ATTACH and BLKFILTER_DETACH
 *
 * @name:
 *	Name of the filter, NUL-terminated within the array.
 */
struct blkfilter_name {
	__u8 name[BLKFILTER_NAME_LENGTH];
};

/**
 * struct blkfilter_ctl - argument of BLKFILTER_CTL
 *
 * @name:
 *	Name of the filter, NUL-terminated within the array.
 * @cmd:
 *	Command of this filter. Its meaning and its argument are the filter's.
 * @optlen:
 *	Size in bytes of what @opt points to.
 * @opt:
 *	User pointer to the argument of @cmd.
 */
struct blkfilter_ctl {
	__u8 name[BLKFILTER_NAME_LENGTH];
	__u32 cmd;
	__u32 optlen;
	__aligned_u64 opt;
};

/*
 * Other commands share the numbers of these with arguments of other sizes.
 * It is the whole encoded value that decides.
 */
#define BLKFILTER_ATTACH	_IOWR(0x12, 140, struct blkfilter_name)
#define BLKFILTER_DETACH	_IOWR(0x12, 141, struct blkfilter_name)
#define BLKFILTER_CTL		_IOWR(0x12, 142, struct blkfilter_ctl)

#endif /* _UAPI_LINUX_BLK_FILTER_H */
